include: [b]
exclude:
  - id: b1
  - id: 'b?'
  - sls: 'c*'
a1:
  test.nop
