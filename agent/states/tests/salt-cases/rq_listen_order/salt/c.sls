a:
  test.succeed_with_changes:
    - listen: [b]
    - prereq: [{test: b}]
b:
  test.succeed_with_changes:
    - listen: [a]
n:
  test.succeed_with_changes:
    - names: [n2, n1]
    - listen: [{test: n1}, {test: b}]
    - prereq: [{test: a}]
