a:
  test.configurable_test_state:
    - changes: False
    - result: True
    - comment: used
    - use_in: [{test: b}]
b:
  test.configurable_test_state: []
c:
  test.configurable_test_state:
    - use: [{test: a}]
    - comment: own
