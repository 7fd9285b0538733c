base:
  '*': [p]
prod:
  '*': [d]
