include: [..top2, .c]
b1:
  test.nop
