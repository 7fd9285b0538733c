f1:
  test.nop
