base:
  '*': [a]
dev:
  '*': [c]
qa:
  '*': [q]
