{% if grains.nothing.here %}
one:
  test.nop: []
{% endif %}
