{% import_yaml 'd.yaml' as d %}
%% for n in ['x', 'y']
{{ n }}:
  file.managed:
    - name: "@R@/{{ n }}"
    - contents: |
        a
        {% if d.sure %}
        b {{ n }}
        {% endif %}
        c
%% endfor
templated:
  file.managed:
    - name: "@R@/t"
    - source: salt://t.jinja
    - template: jinja
own:
  file.managed:
    - name: "@R@/own"
    - source: salt://own.jinja
    - template: jinja
text:
  file.managed:
    - name: "@R@/text"
    - contents: "<< grains['id'] >> {{ grains['id'] }}"
    - template: jinja
