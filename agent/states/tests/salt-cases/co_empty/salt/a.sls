a:
  cmd.run:
    - name: echo a
    - onlyif: []
b:
  test.nop:
    - unless: []
c:
  test.succeed_with_changes:
    - creates: []
d:
  test.nop:
    - require: [{test: b}]
