base:
  '*': [a]
prod:
  '*': [b]
