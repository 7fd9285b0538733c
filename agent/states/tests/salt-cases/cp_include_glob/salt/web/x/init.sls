wx:
  test.nop
