# A machine without timedatectl, whose clock is said to keep local time.
set -e
rm /usr/bin/timedatectl
printf '# a comment: UTC=no\nTMPTIME=0\nUTC=no\nUTC=maybe\n' > /etc/default/rcS
# Zone files have no text that could be compared.
printf 'Berlin\n' > /usr/share/zoneinfo/Europe/Berlin
printf 'Vilnius\n' > /usr/share/zoneinfo/Europe/Vilnius
printf 'UTC\n' > /usr/share/zoneinfo/Etc/UTC
