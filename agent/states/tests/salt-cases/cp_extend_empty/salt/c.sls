include: [a, b]
c:
  test.nop: []
