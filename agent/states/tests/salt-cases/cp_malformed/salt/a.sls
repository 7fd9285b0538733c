a:
  test.nop:
b:
  test: nop
c:
  test: []
d:
  test:
    - no function
e:
  test.nop:
    - names: x
f:
  test.nop:
    - require: x
g:
  test.nop:
    - require: [{test: a, test2: b}, [x], 5]
h:
  test.nop:
    - require: [{test.nop: a}]
i:
  test.nop:
    - require: [{test: [a]}]
j:
  test.nop:
    - require: [{test: c}]
      watch: [{test: c}]
k:
  test:
    - nop
    - fail
l:
  test.nop:
    - onfail_stop: False
m:
  test.nop:
    - watch_in: x
n:
  test.nop:
    - 5
    -
    - true
    - listen: x
