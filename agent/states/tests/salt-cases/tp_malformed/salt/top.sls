base:
  '*': a
  'x':
    - order: 0
    - b
  'y': ['']
