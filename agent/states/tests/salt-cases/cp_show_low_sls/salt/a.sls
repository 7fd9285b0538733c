include: [b]
exclude: [id: gone]
extend:
  other:
    test: [x: 2]
gone:
  test.nop: []
one:
  test.nop:
    - require_in: [test: nobody]
    - use: [test: other]
    - watch: [test: other]
    - names: [n1, {n2: [order: 1]}]
