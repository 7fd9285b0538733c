wb:
  test.nop
