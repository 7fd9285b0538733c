gives-up:
  cmd.run:
    - name: exit 4
    - parallel: true
    - retry: {attempts: 2, interval: 0}
fine:
  test.succeed_without_changes:
    - parallel: true
    - retry: {attempts: 2, interval: 0}
