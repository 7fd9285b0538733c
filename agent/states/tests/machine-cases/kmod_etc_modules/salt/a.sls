loop:
  kmod.present:
    - persist: True
last:
  kmod.absent:
    - persist: True
    - comment: False
no file:
  file.absent:
    - name: /etc/modules
made:
  kmod.present:
    - name: zram
    - persist: True
