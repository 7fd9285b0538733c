c1:
  file.comment:
    - name: "@R@/f1"
    - regex: '^key'
c2:
  file.comment:
    - name: "@R@/f2"
    - regex: 'l4 foo$'
c3:
  file.comment:
    - name: "@R@/f3"
    - regex: '^cmt'
c4:
  file.comment:
    - name: "@R@/f4"
    - regex: '^nothing'
c5:
  file.comment:
    - name: "@R@/f5"
    - regex: '^nothing'
    - ignore_missing: true
c6:
  file.comment:
    - name: "@R@/f6"
    - regex: '^l.*'
    - char: ';;'
    - backup: false
c7:
  file.comment:
    - name: "@R@/f7"
    - regex: 'foo'
c8:
  file.comment:
    - name: "@R@/none"
    - regex: 'foo'
c9:
  file.comment:
    - name: "@R@/f9"
    - regex: '^  ind'
    - backup: '.old'
c10:
  file.comment:
    - name: "@R@/f10"
    - regex: '^(key|l1)'
