{#- state.sls_exists renders what it is asked about, with all that this includes. #}
{%- set there = salt['state.sls_exists'] %}
{%- for names in ['b', 'none', 'b, c', ['b', 'c'], ['b', 'none'], 'deep', 'faulty', 'missing', 'odd', 'd*', 'a.', 'only_dev'] %}
x{{ loop.index }}:
  test.show_notification:
    - text: {{ (names | string ~ ' ' ~ there(names)) | json }}
{%- endfor %}
dev:
  test.show_notification:
    - text: {{ there('only_dev', saltenv='dev') }} {{ there('b', saltenv='dev') }} {{ there('b', saltenv='nowhere') }}
own:
  test.show_notification:
    - text: seen {{ there('sees', True) }}
