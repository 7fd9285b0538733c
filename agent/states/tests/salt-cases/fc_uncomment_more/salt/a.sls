u1:
  file.uncomment:
    - name: "@R@/f1"
    - regex: 'cmt=1'
u2:
  file.uncomment:
    - name: "@R@/f2"
    - regex: '^key'
u3:
  file.uncomment:
    - name: "@R@/f3"
    - regex: '^nothing'
u4:
  file.uncomment:
    - name: "@R@/f4"
    - regex: '^x'
    - char: ';'
    - backup: false
u5:
  file.uncomment:
    - name: "@R@/f5"
    - regex: '^x$'
u6:
  file.uncomment:
    - name: "@R@/f6"
    - regex: '^x'
u7:
  file.uncomment:
    - name: "@R@/none"
    - regex: '^x'
u8:
  file.uncomment:
    - name: "@R@/f8"
    - regex: '^x'
