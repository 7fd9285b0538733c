base:
  '*':
    - a
  '{{ nope }}':
    - b
