/mnt/a:
  mount.mounted:
    - device: tmpfs
    - fstype: tmpfs
    - opts: size=1m,mode=755
    - mkmnt: True
/mnt/nodir:
  mount.mounted:
    - device: tmpfs
    - fstype: tmpfs
/mnt/b/:
  mount.mounted:
    - device: b
    - fstype: tmpfs
    - opts: [noexec, nosuid]
    - mkmnt: True
    - persist: False
remount:
  mount.mounted:
    - name: /mnt/b
    - device: b
    - fstype: tmpfs
    - opts: [noexec, nodev]
    - persist: False
/mnt/only-fstab:
  mount.mounted:
    - device: /dev/sdz9
    - fstype: ext4
    - opts: noatime
    - mkmnt: True
    - mount: False
    - pass_num: 2
    - dump: 1
/mnt/not-made:
  mount.mounted:
    - device: server:/export
    - fstype: nfs
    - mount: False
changed_line:
  mount.mounted:
    - name: /mnt/a
    - device: tmpfs
    - fstype: tmpfs
    - opts: [size=1m, mode=755, nofail]
gone:
  mount.unmounted:
    - name: /mnt/b
gone_not:
  mount.unmounted:
    - name: /mnt/c
    - persist: True
gone_for_good:
  mount.unmounted:
    - name: /mnt/old
    - persist: True
gone_device:
  mount.unmounted:
    - name: /mnt/older
    - device: /dev/other
    - persist: True
swap:
  mount.swap:
    - name: /mnt/nosuchswap
