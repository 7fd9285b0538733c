# Which worker gets which data. Pillar is sealed: a worker sees its own only.
base:
  '*':
    - demo
