base:
  '*':
    - ignore_missing: True
    - p
    - nope
