base:
  'G@os:Deb* and not L@x,y':
    - a
  '( web* or loc* ) and not E@^web':
    - b
  'S@10.1.0.0/16 and P@os:^deb':
    - c
  'G|@n|e|s|deep':
    - d
  'local not web':
    - e
  'local web':
    - f
  'Q@x or local':
    - g
  '( local':
    - h
