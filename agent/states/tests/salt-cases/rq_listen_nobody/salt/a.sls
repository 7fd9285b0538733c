changed:
  test.succeed_with_changes:
    - listen_in: [test: nobody_in]
heard:
  test.nop:
    - listen: [test: changed, cmd: changed, sls: a, test: 'chang*', changed, nobody]
unable:
  file.touch:
    - name: @R@/f
    - listen: [changed]
names:
  test.nop:
    - names: [n1, n2]
    - listen: [changed]
