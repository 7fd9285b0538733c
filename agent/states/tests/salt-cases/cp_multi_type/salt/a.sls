a:
  test.nop: []
  test.fail_without_changes: []
