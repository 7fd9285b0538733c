{% set names = ['env', 'saltenv', 'tplroot', 'tpldir', 'tplfile', 'tpldot', 'sls', 'slspath'] %}
x:
  test.nop:
    - name: "{% for name in names %}{{ name if name in show_full_context() }} {% endfor %}"
y:
  test.nop:
    - name: "{{ 1 if env is defined or tplroot is defined else 0 }}"
