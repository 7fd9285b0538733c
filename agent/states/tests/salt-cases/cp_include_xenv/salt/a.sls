include:
  - _xenv: b
  - _xenv: nope
a1:
  test.nop
