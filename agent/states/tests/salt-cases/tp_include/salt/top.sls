include: [tops.*]
base:
  '*': [a]
