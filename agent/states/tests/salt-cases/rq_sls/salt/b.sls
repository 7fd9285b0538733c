include: [c]
b1:
  test.nop
