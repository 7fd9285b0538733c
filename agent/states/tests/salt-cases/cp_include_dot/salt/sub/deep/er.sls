include: [..]
deeper:
  test.nop
