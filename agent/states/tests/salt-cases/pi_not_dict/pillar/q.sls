include: x
a: 1
