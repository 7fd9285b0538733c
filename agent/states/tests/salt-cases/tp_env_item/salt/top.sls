base:
  '*':
    - a
    - dev: d
    - nope: e
