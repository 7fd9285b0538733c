{% for name, arguments in {
  'content': {'mode': 'insert', 'content': 5, 'location': 'end'},
  'match': {'mode': 'replace', 'content': 'new', 'match': 80},
  'truth': {'mode': 'delete', 'match': true},
  'after': {'mode': 'ensure', 'content': 'x', 'after': 8.5, 'before': 'b'},
  'found': {'mode': 'replace', 'content': 80, 'match': 'two'},
  'none': {'mode': 'delete', 'match': 0},
}.items() %}
{{ name }} made:
  file.managed:
    - name: @R@/{{ name }}
    - contents: [one, two, "80"]
    - replace: false
{{ name }}:
  file.line:
    - name: @R@/{{ name }}
  {%- for key, value in arguments.items() %}
    - {{ key }}: {{ value | tojson }}
  {%- endfor %}
{% endfor %}
flags made:
  file.managed:
    - name: @R@/flags
    - contents: ["#ALPHA", beta]
    - replace: false
# What Salt puts before the pattern leaves its flags in the middle.
flags in the middle:
  file.uncomment: [{name: @R@/flags}, {regex: "(?i)^alpha"}]
flags at the start:
  file.replace: [{name: @R@/flags}, {pattern: "(?i)(?m)^BETA$"}, {repl: gamma}]
