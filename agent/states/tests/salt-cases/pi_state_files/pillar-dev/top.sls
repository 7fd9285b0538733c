dev:
  "*": [pd]
