include: [b]
extend:
  b1: [x]
a1:
  test.nop
