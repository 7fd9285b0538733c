{% import_yaml 'm.yaml' as m %}
f:
  file.managed:
    - name: @R@/f
    - source: salt://f.j
    - template: jinja
    - defaults: {d: {z: 1, b: {y: 1, c: 2}}}
    - context: {c: {z: 1, b: {y: 1, c: 2}, 80: q}, l: [{z: 1, a: 2}], m: {{ m|json(sort_keys=False) }}}
g:
  file.managed:
    - name: @R@/g
    - contents: |
        {{ m|string }}
        {{ pillar.only.items()|list }}
        {% for port, name in pillar.ports.items() %}{% if port == 80 %}{{ port + 1 }} {{ name }}{% endif %}{% endfor %}
y:
  file.serialize:
    - name: @R@/y.yaml
    - dataset: {10: a, 9: b, x: {2: c}}
    - serializer_opts: [sort_keys: False]
j:
  file.serialize:
    - name: @R@/j.json
    - serializer: json
    - dataset: {10: a, 9: b, 8: {yes: c}}
p:
  file.serialize:
    - name: @R@/p.yaml
    - dataset_pillar: only
