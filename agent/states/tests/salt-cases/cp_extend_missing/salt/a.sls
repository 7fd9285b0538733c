extend:
  nope:
    test:
      - require: [{test: a1}]
  zip:
    file.managed:
      - mode: 1
a1:
  test.nop
