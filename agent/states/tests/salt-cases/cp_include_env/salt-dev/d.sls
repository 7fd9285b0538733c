d1:
  file.managed:
    - name: @R@/f
    - source: salt://f
d2:
  test.configurable_test_state:
    - changes: False
    - result: True
    - comment: '{{ saltenv }} {{ sls }} {{ tplpath.split('/')[-1] }}'
