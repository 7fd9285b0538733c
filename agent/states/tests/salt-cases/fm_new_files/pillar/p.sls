a:
  b: |
    l1
    l2
  c: x
deflt: 5
