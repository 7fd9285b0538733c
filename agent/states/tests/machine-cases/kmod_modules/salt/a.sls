bonding:
  kmod.present
again:
  kmod.present:
    - name: bonding
by its users:
  kmod.present:
    - name: snd_pcm
some:
  kmod.present:
    - mods:
      - kvm
      - br_netfilter
none:
  kmod.present:
    - mods: []
no list:
  kmod.present:
    - name: kvm
    - mods: dummy
nosuch:
  kmod.present
broken:
  kmod.present
builtin_one:
  kmod.present
kept:
  kmod.present:
    - name: zram
    - persist: True
kept again:
  kmod.present:
    - name: zram
    - persist: True
loaded and kept:
  kmod.present:
    - name: dummy
    - persist: True
kept once commented:
  kmod.present:
    - name: loop
    - persist: True
of all kinds:
  kmod.present:
    - persist: True
    - mods:
      - zram
      - overlay
      - nosuch
with options:
  kmod.present:
    - name: bonding mode=4
    - persist: True
gone:
  kmod.absent:
    - name: bonding
gone already:
  kmod.absent:
    - name: bonding
all gone already:
  kmod.absent:
    - mods:
      - bonding
      - nosuch
in use:
  kmod.absent:
    - name: kvm
no effect:
  kmod.absent:
    - name: stuck
no longer kept:
  kmod.absent:
    - name: zram
    - persist: True
no longer there:
  kmod.absent:
    - name: overlay
    - persist: True
    - comment: False
kept but not loaded:
  kmod.absent:
    - name: listed
    - persist: True
