dev-e:
  test.nop
