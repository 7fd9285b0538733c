one:
  test.nop:
    - require: [test: nobody]
