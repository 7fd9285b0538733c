# No programs that know of modules.
rm -f /sbin/lsmod /usr/sbin/lsmod /bin/lsmod /usr/bin/lsmod
