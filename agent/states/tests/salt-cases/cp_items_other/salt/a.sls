n:
  test.nop:
    - 5
    -
    - true
    - {a: 1, b: 2}
    - require_in: nothing
