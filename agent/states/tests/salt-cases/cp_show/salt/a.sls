include: [b]
extend:
  b1:
    test:
      - require: [{test: a1}]
a1:
  test.nop:
    - require_in: [{test: b2}, {test: b1}]
    - watch_in: {test: b2}
a2:
  test.nop:
    - use: [{cmd: b3}]
    - prereq: [{test: b2}]
a3:
  cmd.run:
    - name: 'true'
    - watch: [{test: a1}]
    - order: last
a4:
  file.directory:
    - name: @R@/x
    - watch: [{test: a1}]
    - watch_any: [{test: a1}]
    - order: -1
