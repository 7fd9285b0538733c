a:
  test.configurable_test_state:
    - changes: False
    - result: True
    - warnings: one warning
b:
  test.configurable_test_state:
    - changes: False
    - result: True
    - warnings: [w1, w2]
c:
  test.configurable_test_state:
    - warnings: []
    - changes: True
g:
  test.configurable_test_state:
    - changes: False
    - result: True
    - warnings: [1, {a: b}]
