a: {test.succeed_with_changes: []}
b:
  test.configurable_test_state:
    - changes: false
    - result: true
    - comment: orig
    - watch: [{test: a}]
c:
  test.configurable_test_state:
    - changes: false
    - result: true
    - comment: orig
    - listen: [{test: a}]
d:
  test.configurable_test_state:
    - changes: true
    - result: true
    - watch: [{test: a}]
e:
  test.configurable_test_state:
    - changes: false
    - result: false
    - watch: [{test: a}]
f:
  test.nop:
    - watch: [{test: b}]
g:
  test.nop:
    - onfail: [{test: b}]
h:
  test.configurable_test_state:
    - changes: true
    - result: false
    - watch: [{test: a}]
i:
  test.configurable_test_state:
    - result: false
    - listen: [{test: a}]
j:
  test.nop:
    - comment: cm
    - listen: [{test: a}]
k:
  test.succeed_without_changes:
    - comment: hello
    - watch: [{test: a}]
l:
  test.nop:
    - result: false
    - watch: [{test: a}]
m:
  test.nop:
    - changes: {x: 1}
    - watch: [{test: a}]
