stdin:
  cmd.run:
    - name: cat
    - stdin: 'a\nb'
stdin_raw:
  cmd.run:
    - name: cat
    - stdin: 'a\nb'
    - stdin_raw_newlines: True
template:
  cmd.run:
    - name: "echo {{ '{{ grains[\"kernel\"] }}' }} {% raw %}{{ pillar.get('x', 'none') }}{% endraw %}"
    - template: jinja
strip:
  cmd.run:
    - name: printf 'a\n\n'
    - rstrip: False
multi:
  cmd.run:
    - name: |
        echo one
        echo two
names:
  cmd.run:
    - names:
      - echo first
      - echo second:
        - env: {A: b}
