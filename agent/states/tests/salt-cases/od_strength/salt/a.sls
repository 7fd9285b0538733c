a:
  test.nop
b:
  test.nop:
    - require: [{test: z}]
    - order: 5
c:
  cmd.run:
    - name: 'true'
    - watch: [{test: z}]
    - order: 20000
d:
  test.nop:
    - onchanges: [{test: y}]
    - order: 3
e:
  test.nop:
    - onfail: [{test: y}]
    - order: 1
y:
  test.nop
z:
  test.nop
