x:
  test.configurable_test_state:
    - comment: {{ pillar | json }}
