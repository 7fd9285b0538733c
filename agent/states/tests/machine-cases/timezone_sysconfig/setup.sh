# As an old Red Hat: no timedatectl.
set -e
rm /usr/bin/timedatectl
mkdir -p /etc/sysconfig
printf '# ZONE=here\nZONE="Etc/UTC"\nUTC=true\nZONE=last\n' > /etc/sysconfig/clock
printf '0.0 0 0.0\n0\nLOCAL\n' > /etc/adjtime
printf 'Berlin\n' > /usr/share/zoneinfo/Europe/Berlin
printf 'UTC\n' > /usr/share/zoneinfo/Etc/UTC
