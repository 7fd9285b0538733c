one: {test.nop: []}
{% macro some( %}
{% endmacro %}
