a:
  test.nop:
    - names: [x, y]
    - watch: [{test: b}]
b:
  test.nop:
    - require: [{test: y}]
