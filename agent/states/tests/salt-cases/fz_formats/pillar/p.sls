p:
  a: 1
