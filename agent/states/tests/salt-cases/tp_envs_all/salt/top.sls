base:
  '*': [a]
  'os:Debian':
    - match: grain
    - a
dev:
  '*': [d]
