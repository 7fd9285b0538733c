
s1:
  file.symlink:
    - name: "@R@/s1"
    - target: "@R@/t"
s2:
  file.symlink:
    - name: "@R@/s2"
    - target: "@R@/t"
s3:
  file.symlink:
    - name: "@R@/s3"
    - target: "@R@/t"
s4:
  file.symlink:
    - name: "@R@/f4"
    - target: "@R@/t"
s5:
  file.symlink:
    - name: "@R@/f5"
    - target: "@R@/t"
    - backupname: f5.bak
s6:
  file.symlink:
    - name: "@R@/f6"
    - target: "@R@/t"
    - backupname: "@R@/other/f6.bak"
    - force: true
s7:
  file.symlink:
    - name: "@R@/d7"
    - target: "@R@/t"
    - force: true
s8:
  file.symlink:
    - name: "@R@/d8"
    - target: "@R@/t"
s9:
  file.symlink:
    - name: "@R@/no/s9"
    - target: "@R@/t"
s10:
  file.symlink:
    - name: "@R@/s10"
    - target: "@R@/t"
    - user: daemon
    - group: games
s11:
  file.symlink:
    - name: "@R@/s11"
    - target: "@R@/t"
    - user: nosuch
s12:
  file.symlink:
    - name: rel
    - target: x
s13:
  file.symlink:
    - name: "@R@/f13"
    - target: "@R@/t"
    - atomic: true
s14:
  file.symlink:
    - name: "@R@/s14"
    - target: nowhere
s15:
  file.symlink:
    - name: "@R@/s15"
    - target: "@R@/t"
    - inherit_user_and_group: true
s16:
  file.symlink:
    - name: "@R@/dd/ee/s16"
    - target: "@R@/t"
    - makedirs: true
    - mode: "0750"
s17:
  file.symlink:
    - name: "@R@/s17"
    - target: "@R@/t"
    - follow_symlinks: false
s18:
  file.symlink:
    - name: "@R@/f18"
    - target: "@R@/t"
    - force: true
