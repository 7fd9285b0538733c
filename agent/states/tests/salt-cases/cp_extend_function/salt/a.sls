include: [b]
extend:
  b1:
    test:
      - fail_without_changes
      - x: 2
      - names: [q, r]
  b2:
    test:
      - name: one
