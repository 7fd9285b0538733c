changes:
  test.succeed_with_changes: []
listens:
  test.nop: [{parallel: true}, {listen: [{test: changes}]}]
