include: [b, c]
exclude: [c]
a1:
  test.nop
