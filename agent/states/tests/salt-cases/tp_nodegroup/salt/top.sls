base:
  one:
    - match: nodegroup
    - a
  two:
    - match: nodegroup
    - b
  three:
    - match: nodegroup
    - c
  nope:
    - match: nodegroup
    - d
  'N@one and not N@two':
    - e
  four:
    - match: nodegroup
    - f
  five:
    - match: nodegroup
    - g
