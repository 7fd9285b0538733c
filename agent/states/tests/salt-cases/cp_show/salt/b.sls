b1:
  test.nop:
    - names: [n1, n2]
b2:
  test.nop
b3:
  cmd.run:
    - name: 'true'
    - unless: 'true'
    - require: [{test: a1}]
    - order: first
