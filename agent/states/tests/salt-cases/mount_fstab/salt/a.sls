new:
  mount.fstab_present:
    - name: /dev/sdb1
    - fs_file: /mnt/new/
    - fs_vfstype: ext4
    - mount: False
options:
  mount.fstab_present:
    - name: UUID=1
    - fs_file: /
    - fs_vfstype: ext4
    - fs_mntops: [noatime, errors=remount-ro]
    - fs_passno: 1
    - mount: False
by_name:
  mount.fstab_present:
    - name: server:/export
    - fs_file: /mnt/share
    - fs_vfstype: nfs
    - match_on: [name]
    - mount: False
kept:
  mount.fstab_present:
    - name: /dev/sdc1
    - fs_file: /srv
    - fs_vfstype: xfs
    - fs_mntops: noatime
    - not_change: True
    - mount: False
gone:
  mount.fstab_absent:
    - name: /dev/sdd1
    - fs_file: /gone/
gone_not:
  mount.fstab_absent:
    - name: /dev/sdd1
    - fs_file: /nosuch
