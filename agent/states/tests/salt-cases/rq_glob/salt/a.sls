a:
  test.nop:
    - require: [{test: 'x*'}]
b:
  test.nop:
    - require: ['?2']
x1:
  test.nop
x2:
  test.nop:
    - name: other
