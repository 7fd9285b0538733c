/mnt/bound:
  mount.mounted:
    - device: /srv/src
    - fstype: none
    - opts: bind
    - mkmnt: True
/mnt/listed:
  mount.mounted:
    - device: /srv/src
    - fstype: none
    - opts: [bind, nosuid]
    - mkmnt: True
/mnt/defaults:
  mount.mounted:
    - device: /srv/src
    - fstype: none
    - opts: defaults,bind
    - mkmnt: True
/mnt/bare:
  mount.mounted:
    - device: /srv/src
    - fstype: bind
    - opts: bind
    - mkmnt: True
/mnt/unsaved:
  mount.mounted:
    - device: /srv/src
    - fstype: none
    - opts: bind
    - mkmnt: True
    - persist: False
fstab:
  cmd.run:
    - name: cat /etc/fstab
