/srv/one:
  mount.mounted:
    - device: tmpfs
    - fstype: tmpfs
    - opts: [nodev, noexec]

shown:
  cmd.run:
    - name: sed -n 's/^tmpfs \(.srv[^ ]* tmpfs [a-z,]*\),relatime.*/\1/p' /proc/mounts; cat /etc/fstab
