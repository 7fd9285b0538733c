# What makes locales is a package of its own.
set -e
. "$(dirname "$0")/../get.sh"
cd /
get locales
printf '# de_DE.UTF-8 UTF-8\n  #  en_IE.UTF-8 UTF-8  \n# de_DE ISO-8859-1\nfr_FR.UTF-8 UTF-8\n# last' > /etc/locale.gen
