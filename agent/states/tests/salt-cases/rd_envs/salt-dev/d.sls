{% from 'm.jinja' import who with context %}
d1:
  test.configurable_test_state:
    - comment: '{{ who }} {{ saltenv }}'
