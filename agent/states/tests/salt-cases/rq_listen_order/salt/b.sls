l:
  cmd.wait:
    - name: echo l
    - listen: [{test: c}]
p:
  cmd.run:
    - name: echo p
    - prereq: [{test: c}]
    - listen: [{test: d}]
c:
  test.succeed_with_changes:
    - listen: [{test: d}]
d:
  test.succeed_with_changes:
    - order: last
k:
  cmd.wait:
    - name: echo k
    - listen: [c]
    - order: first
