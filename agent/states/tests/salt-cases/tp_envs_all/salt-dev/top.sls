dev:
  '*': [d, e]
base:
  '*': [b]
  'os:Debian':
    - match: grain
    - c
