include: [b]
extend:
  thename:
    test:
      - require: [{test: a1}]
a1:
  test.nop
