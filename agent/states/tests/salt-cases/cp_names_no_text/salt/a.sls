number:
  test.nop:
    - names:
      - fine
      - 5
      - 2.5
      - True
      - 6: [{comment: x}]
