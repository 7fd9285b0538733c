extend:
  nobody:
    test:
      - x: 1
one:
  test.nop:
    - require: nobody
