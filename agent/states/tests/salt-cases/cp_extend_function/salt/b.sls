b1:
  test.nop:
    - x: 1
    - require: [{test: b0}]
b0:
  test.nop
b2:
  test.nop:
    - names: [y, z]
