base:
  'os:Debian':
    - match: grain
    - p
