a:
  test.configurable_test_state:
    - comment: [one, two, "three\nfour"]
b:
  test.succeed_with_changes:
    - comment: []
c:
  test.fail_without_changes:
    - comment: [x]
d:
  test.succeed_without_changes:
    - comment: [x, y]
    - watch: [{test: a}]
