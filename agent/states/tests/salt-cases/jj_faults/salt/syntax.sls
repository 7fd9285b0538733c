one:
  test.nop: []
{% if grains.os == 'Debian' %}
two:
  test.nop: []
