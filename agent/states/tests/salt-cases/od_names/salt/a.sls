a:
  test.nop:
    - names: [z, y, x]
b:
  test.nop:
    - names: [q, p]
    - order: 10000
c:
  test.nop:
    - require: [{test: p}]
    - order: 1
