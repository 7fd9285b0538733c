include: [..b]
d1:
  test.nop
