base:
  'role:web*':
    - match: pillar
    - a
  'l:two':
    - match: pillar
    - b
  'role:^w.b$':
    - match: pillar_pcre
    - c
  'role:web':
    - match: pillar_exact
    - d
  'role:we*':
    - match: pillar_exact
    - e
  'I@role:web and J@l:t':
    - f
