base:
  'x,local':
    - match: list
    - a
  'x, local':
    - match: list
    - b
  'local':
    - match: list
    - c
