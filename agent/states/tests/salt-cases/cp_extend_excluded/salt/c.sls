extend:
  b1:
    test: [fail_without_changes]
c1:
  test.nop
