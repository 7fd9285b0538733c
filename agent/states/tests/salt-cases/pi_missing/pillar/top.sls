base:
  '*': [p, nope]
