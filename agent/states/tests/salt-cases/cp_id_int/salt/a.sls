5:
  test.nop
1.5:
  test.nop: []
true:
  test.nop: []
