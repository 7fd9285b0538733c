{% from 'map.jinja' import map, say, where -%}
{% do map.update({'a': 2}) -%}
{% from 'sub/user.jinja' import seen -%}
{% from 'sub/user.jinja' import seen as too with context -%}
{% import 'map.jinja' as again -%}
shared:
  test.show_notification:
    - text: "{{ map }} {{ seen }} {{ too }} {{ again.map }} {{ say() }} {{ where }}"
