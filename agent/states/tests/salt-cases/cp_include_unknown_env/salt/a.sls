include:
  - prod: d
  - dev: nope
  - nope2
a1:
  test.nop
