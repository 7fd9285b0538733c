a:
  test.nop:
    - require_in: [{test: nope}]
    - watch_in: [{cmd.run: a}]
    - prereq_in: {file: nope2}
