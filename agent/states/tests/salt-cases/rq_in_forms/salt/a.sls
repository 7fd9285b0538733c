a:
  test.nop:
    - require_in: {test: b}
    - watch_in: [{test: c}, {test: d}]
    - onchanges_in: [{test: e}]
f:
  test.succeed_with_changes:
    - prereq_in: [{test: g}]
    - onfail_in: [{test: h}]
b:
  test.nop
c:
  test.nop
d:
  test.nop
e:
  test.nop
g:
  test.nop
h:
  test.nop
