{% set known = {'a': 1} %}
one: {test.nop: []}
two: {test.nop: []}
three: {test.nop: []}
four: {test.nop: []}
five: {test.nop: []}
six:
  test.nop:
    - name: {{ known.a }}-{{ known.b }}
seven: {test.nop: []}
eight: {test.nop: []}
nine: {test.nop: []}
ten: {test.nop: []}
eleven: {test.nop: []}
twelve: {test.nop: []}
