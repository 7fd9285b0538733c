POSIX:
  locale.system
again:
  locale.system:
    - name: POSIX
back:
  locale.system:
    - name: C.UTF-8
