deep:
  x: {a: [1, 2]}
