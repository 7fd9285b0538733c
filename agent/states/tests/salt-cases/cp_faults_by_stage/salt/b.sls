extend:
  one:
    test:
      - require: nobody
  nobody:
    test:
      - x: 1
one:
  test.nop:
    - watch_in: [test: nobody]
