t2:
  test.nop
