loop:
  kmod.present
gone:
  kmod.absent:
    - name: loop
