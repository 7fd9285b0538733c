# What makes locales is a package of its own.
set -e
cd /
export DEBIAN_FRONTEND=noninteractive
get() { apt-get install -y -q --no-install-recommends locales; }
{ get || { apt-get update -q && get; }; } > /tmp/install.log 2>&1 ||
    { cat /tmp/install.log >&2; exit 1; }
rm -f /usr/sbin/locale-gen /etc/locale.gen
