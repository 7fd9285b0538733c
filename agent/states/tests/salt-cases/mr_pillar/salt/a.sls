{% for key in ['nothing', 'something', 'zero', 'word', 'none', 'many', 'map', 'map:b', 'missing'] %}
get {{ key }}: {module.run: [{pillar.get: [{{ key }}]}]}
legacy {{ key }}: {module.run: [{name: pillar.get}, {key: {{ key }}}]}
unmasked {{ key }}: {module.run: [{pillar.get: [{key: {{ key }}}, {unmask: true}]}]}
default {{ key }}: {module.run: [{pillar.get: [{key: {{ key }}}, {default: other}]}]}
option {{ key }}: {module.run: [{config.get: [{{ key }}]}]}
if {{ key }}: {test.nop: [{onlyif: [{fun: pillar.get, args: [{{ key }}]}]}]}
item {{ key }}: {module.run: [{pillar.item: [{{ key }}]}]}
{% endfor %}
items: {module.run: [{pillar.items: []}]}
names: {module.run: [{pillar.ls: []}, {pillar.keys: [map]}]}
types: {module.run: [{pillar.obfuscate: []}]}
