base:
  '*': [p, q]
