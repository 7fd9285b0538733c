one: {test.nop: []}
{%- for item in [1, 2]
   if item.y.z %}
two: {test.nop: []}
{% endfor %}
