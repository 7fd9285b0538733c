dev-d:
  test.nop
