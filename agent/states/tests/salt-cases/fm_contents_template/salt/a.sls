{% raw %}
given:
  file.managed:
    - name: @R@/given
    - template: jinja
    - contents: "{{ who }} {{ what }} {{ grains.os }} {{ saltenv }} {{ pillar }}"
    - context: {who: me}
    - defaults: {who: you, what: x}
name:
  file.managed:
    - name: @R@/name
    - template: jinja
    - contents: "{{ name }}"
lines:
  file.managed:
    - name: @R@/lines
    - template: jinja
    - user: root
    - contents:
      - "{{ tpldir is defined }} {{ accumulator is defined }} {{ source is defined }}"
      - "{{ user is defined }} {{ mode is defined }}"
gathered:
  file.accumulated:
    - filename: @R@/lines
    - text: one
    - require_in: [{file: lines}]
{% endraw %}
