dev:
  'loc*': [e]
