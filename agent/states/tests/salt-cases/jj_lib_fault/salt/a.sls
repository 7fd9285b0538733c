{% from 'lib.jinja' import m %}
x:
  test.nop:
    - name: {{ m(1) }}
