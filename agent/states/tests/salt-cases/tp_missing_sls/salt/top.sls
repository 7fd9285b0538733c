base:
  '*': [a, nope, 'zz*']
