{% from 'm.jinja' import who with context %}
include: [{dev: d}]
a1:
  test.configurable_test_state:
    - comment: '{{ who }} {{ saltenv }}'
