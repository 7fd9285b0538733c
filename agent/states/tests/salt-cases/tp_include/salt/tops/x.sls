base:
  'loc*': [b]
