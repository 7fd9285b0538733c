a:
  test.nop:
    - require: [{test: nope}]
b:
  test.nop:
    - watch: [{cmd: nope2}]
    - name: bb
