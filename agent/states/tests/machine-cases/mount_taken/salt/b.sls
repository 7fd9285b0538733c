/srv/one:
  mount.mounted:
    - device: tmpfs
    - fstype: tmpfs
    - opts: [nosuid]

/srv/two:
  mount.mounted:
    - device: tmpfs
    - fstype: tmpfs
    - opts: nosuid
    - persist: False
