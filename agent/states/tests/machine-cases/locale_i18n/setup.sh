# As an old Red Hat, without systemd.
mkdir -p /etc/sysconfig
