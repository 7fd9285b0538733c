include:
  - dev: d
a1:
  test.nop
