dev:
  '*': [d]
base:
  '*': [b]
