x:
  cmd.run
  test.nop
