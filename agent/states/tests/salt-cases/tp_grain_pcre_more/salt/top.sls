base:
  'roles:^(w|x)':
    - match: grain_pcre
    - a
  'roles:eb$':
    - match: grain_pcre
    - b
  'os:([':
    - match: grain_pcre
    - c
  'n:e:s:DEEP':
    - match: grain_pcre
    - d
