include: [.b, .c.d]
a1:
  test.nop
