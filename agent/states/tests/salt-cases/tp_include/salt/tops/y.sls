base:
  '*': [c]
