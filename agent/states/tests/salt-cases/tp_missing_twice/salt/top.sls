base:
  '*': [gone, a]
  'loc*': [gone, b]
