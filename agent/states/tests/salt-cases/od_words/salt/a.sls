a:
  test.nop:
    - order: last
b:
  test.nop:
    - order: -1
c:
  test.nop:
    - order: 1
d:
  test.nop:
    - order: first
e:
  test.nop
f:
  test.nop:
    - order: -20
g:
  test.nop:
    - order: 1.5
h:
  test.nop:
    - order: true
i:
  test.nop:
    - order: '3'
j:
  test.nop:
    - order: 20000
k:
  test.nop:
    - order: first
