# What makes locales is a package of its own.
set -e
. "$(dirname "$0")/../get.sh"
cd /
get locales
printf 'LANG=C.UTF-8\nLC_TIME=C\n' > /etc/default/locale
systemctl start dbus
