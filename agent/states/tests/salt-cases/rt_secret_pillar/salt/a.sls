conf:
  file.managed:
    - name: @R@/{{ pillar['app']['name'] }}.conf
    - contents: |
        user = {{ pillar['app']['user'] }}
        size = {{ pillar['app']['size'] }}
    - mode: '{{ pillar['app']['mode'] }}'
run:
  cmd.run:
    - name: echo {{ pillar['app']['name'] }} {{ pillar['app']['greeting'] }}
