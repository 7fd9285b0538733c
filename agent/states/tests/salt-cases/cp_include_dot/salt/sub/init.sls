own:
  test.configurable_test_state:
    - changes: False
    - result: True
    - comment: '{{ sls }} {{ slspath }} {{ tpldir }} {{ tplfile }}'
