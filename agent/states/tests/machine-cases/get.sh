# get PACKAGE..: installs packages of the machine's own distribution into the copy, for the setup.sh
# of a case to source.
export DEBIAN_FRONTEND=noninteractive

get() {
    { apt-get install -y -q --no-install-recommends "$@" ||
        { apt-get update -q && apt-get install -y -q --no-install-recommends "$@"; }; } \
        > /tmp/install.log 2>&1 || { cat /tmp/install.log >&2; return 1; }
}
