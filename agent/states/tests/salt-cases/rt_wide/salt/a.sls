pillar:
  file.managed:
    - name: '@R@/pillar'
    - contents_pillar: db:wide
list:
  file.managed:
    - name: '@R@/list'
    - contents_pillar: db:l
slot:
  file.managed:
    - name: '@R@/slot'
    - contents: __slot__:salt:config.get(wid)
slot in a list:
  file.managed:
    - name: '@R@/slots'
    - contents:
      - __slot__:salt:config.get(inf)
      - x
appended:
  file.managed:
    - name: '@R@/appended'
    - contents: __slot__:salt:config.get(wid) ~ x
'#json':
  file.serialize:
    - name: '@R@/json'
    - dataset_pillar: db
    - serializer: json
'#yaml':
  file.serialize:
    - name: '@R@/yaml'
    - dataset_pillar: db
    - serializer: yaml
'#ini':
  file.serialize:
    - name: '@R@/ini'
    - dataset: {a: {l: [123456789012345678901234567890, .inf], f: .nan, w: 123456789012345678901234567890}, 1: {2: 3}}
    - serializer: configparser
template:
  file.managed:
    - name: '@R@/template'
    - template: jinja
    - contents: |
        {% raw %}{{ salt['slsutil.serialize']('json', {'a': 2**70, 'b': pillar['db']['f'], 'c': [1, 'ü']}) }}
        {{ salt['slsutil.serialize']('json', {'b': 2**70, 'a': none, 1: true}, indent=2) }}
        {{ ('{"b": "\\u0000nope", "c": "\\u0000info", "d": ["\\u0000i5"]}' | load_json) | json }}
        {{ pillar['db']['nul'] | json }}{% endraw %}
