include: [..x, ...y]
a1:
  test.nop
