qa-q:
  test.nop
