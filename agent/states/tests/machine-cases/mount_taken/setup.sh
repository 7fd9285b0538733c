: > /etc/fstab
