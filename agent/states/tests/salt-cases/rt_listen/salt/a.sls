changes: {test.succeed_with_changes: []}
same: {test.succeed_without_changes: []}
wait-one:
  cmd.wait:
    - name: echo one
    - listen: [{test: changes}]
wait-two:
  cmd.wait:
    - name: echo two
    - listen: [{test: changes}, {test: same}]
wait-none:
  cmd.wait:
    - name: echo none
    - listen: [{test: same}]
teller:
  test.succeed_with_changes:
    - listen_in: [{cmd: wait-none}, {cmd: wait-one}]
bare:
  cmd.wait:
    - name: echo bare
    - listen: [changes]
