base:
  'loc*':
    - order: 3
    - p
  '*':
    - q
    - order: '2'
  'lo*':
    - r
