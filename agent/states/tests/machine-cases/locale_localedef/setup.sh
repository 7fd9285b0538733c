# What makes locales is a package of its own.
set -e
. "$(dirname "$0")/../get.sh"
cd /
get locales
rm -f /usr/sbin/locale-gen /etc/locale.gen
