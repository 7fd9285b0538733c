{% macro line(text) %}
    - name: {{ text }} {{ nothing }}
{% endmacro %}

one:
  test.nop:
    {{ line('x') }}
