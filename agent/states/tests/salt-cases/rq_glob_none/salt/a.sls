a:
  test.nop:
    - require: [{test: 'q*'}]
b:
  test.nop:
    - require: [{sls: 'q*'}]
