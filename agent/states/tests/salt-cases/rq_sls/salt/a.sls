include: [b]
a:
  test.nop:
    - require: [{sls: b}]
z:
  test.nop:
    - require: [{sls: 'c*'}]
    - order: 1
