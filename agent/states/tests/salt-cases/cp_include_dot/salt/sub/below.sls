include: [.]
below:
  test.nop
