base:
  "*": [p]
