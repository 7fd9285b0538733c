{% break %}
x:
  test.nop
