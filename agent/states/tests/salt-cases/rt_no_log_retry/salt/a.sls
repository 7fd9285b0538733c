a:
  test.fail_with_changes:
    - comment: secret
    - no_log: true
    - retry: {attempts: 2, interval: 0}
b:
  cmd.run:
    - name: "false"
    - no_log: true
    - retry: {attempts: 2, interval: 0}
