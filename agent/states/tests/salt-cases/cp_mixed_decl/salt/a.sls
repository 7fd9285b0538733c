a:
  test.nop: []
  cmd:
    - run
    - name: 'true'
  file.directory:
    - name: @R@/d
b: test.nop
c: test.nop.more
d:
  test.succeed_without_changes.more: []
