base:
  '*':
    - a
    - subfilter:
        'os:Debian':
          - match: grain
          - b
        'os:Other':
          - match: grain
          - c
      x: y
