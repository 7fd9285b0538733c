h1:
  test.nop
