# What makes locales is a package of its own.
set -e
cd /
export DEBIAN_FRONTEND=noninteractive
get() { apt-get install -y -q --no-install-recommends locales; }
{ get || { apt-get update -q && get; }; } > /tmp/install.log 2>&1 ||
    { cat /tmp/install.log >&2; exit 1; }
printf '# de_DE.UTF-8 UTF-8\n  #  en_IE.UTF-8 UTF-8  \n# de_DE ISO-8859-1\nfr_FR.UTF-8 UTF-8\n# last' > /etc/locale.gen
