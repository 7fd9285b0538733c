/srv/one:
  mount.mounted:
    - device: tmpfs
    - fstype: tmpfs
    - mkmnt: True
    - opts: [noexec, nosuid, ro]

/srv/two:
  mount.mounted:
    - device: tmpfs
    - fstype: tmpfs
    - mkmnt: True
    - opts: noexec,nosuid
    - persist: False
