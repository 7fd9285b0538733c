base:
  '*': [a]
dev:
  'x*': [c]
