include: ['web.*']
a1:
  test.nop
