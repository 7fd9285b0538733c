base:
  'n:e:s:d*':
    - match: grain
    - a
  'n:e':
    - match: grain
    - b
  'roles:web':
    - match: grain
    - c
  'num:5':
    - match: grain
    - d
  'flag:true':
    - match: grain
    - e
  'n:*:s':
    - match: grain
    - f
  '*:deep':
    - match: grain
    - g
  os:
    - match: grain
    - h
