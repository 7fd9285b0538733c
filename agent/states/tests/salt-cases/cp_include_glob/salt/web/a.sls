wa:
  test.nop
