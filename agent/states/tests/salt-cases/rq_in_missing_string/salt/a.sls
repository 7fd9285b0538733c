a:
  test.nop:
    - require_in: [nope]
    - watch_in: b
b:
  test.nop
