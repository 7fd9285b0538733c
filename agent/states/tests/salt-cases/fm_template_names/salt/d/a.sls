{% set names = ['tpldir', 'tplfile', 'tplpath', 'tpldot', 'tplroot', 'sls', 'slspath', 'name', 'source', 'user', 'group', 'mode', 'attrs', 'saltenv', 'env', 'port', 'context'] %}
managed:
  file.managed:
    - name: @R@/managed
    - template: jinja
    - source: salt://d/file
    - user: root
    - port: 80
    - context: {names: {{ names|json }}}
folder:
  file.recurse:
    - name: @R@/folder
    - template: jinja
    - source: salt://d/folder
    - context: {names: {{ names|json }}}
appended:
  file.append:
    - name: @R@/appended
    - template: jinja
    - sources: [salt://d/folder/file]
    - context: {names: {{ names|json }}}
block:
  file.blockreplace:
    - name: @R@/appended
    - source: salt://d/folder/file
    - template: jinja
    - append_if_not_found: true
    - context: {names: {{ names|json }}}
script:
  cmd.script:
    - source: salt://d/script
    - template: jinja
    - context: {names: {{ names|json }}}
command:
  cmd.run:
    - name: echo '{% raw %}{{ tpldir is defined }} {{ saltenv }} {{ name is defined }}{% endraw %}'
    - template: jinja
beside:
  file.managed:
    - name: @R@/beside
    - template: jinja
    - source: salt://d/beside
