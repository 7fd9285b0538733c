one: {test.nop: []}
{%- if false %}
two: {test.nop: []}
{%- elif
   true and
   nothing.here %}
{%- else %}
{%- endif %}
