a:
  cmd.wait:
    - name: echo listened
    - listen: [{test: c}]
b:
  test.succeed_with_changes:
    - listen_in: [{cmd: d}]
c:
  test.succeed_with_changes
d:
  cmd.wait:
    - name: echo in
