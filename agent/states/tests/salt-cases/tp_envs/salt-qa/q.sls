q1:
  test.configurable_test_state:
    - changes: False
    - result: True
    - comment: '{{ saltenv }}'
