a:
  test.configurable_test_state:
    - names:
      - x
      - y:
        - comment: own
      - x
      - z:
        - name: zz
        - order: 1
    - changes: False
    - result: True
    - comment: shared
