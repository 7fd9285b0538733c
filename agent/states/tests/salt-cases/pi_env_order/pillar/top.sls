base:
  '*': [p]
dev:
  '*': [d]
