a:
  test.nop:
    - require: [{test: thename}]
b:
  test.nop:
    - name: thename
