dev:
  '*': [d]
