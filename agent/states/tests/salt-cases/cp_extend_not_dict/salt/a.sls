extend: [x]
a1:
  test.nop
