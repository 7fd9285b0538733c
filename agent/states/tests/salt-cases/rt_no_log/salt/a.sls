hidden:
  cmd.run:
    - name: echo secret
    - no_log: true
file:
  file.managed:
    - name: @R@/f
    - contents: secret
    - mode: '0600'
    - no_log: true
failed:
  test.fail_without_changes:
    - comment: secret
    - no_log: true
skipped:
  cmd.run:
    - name: echo secret
    - no_log: true
    - onlyif: "false"
unmet:
  cmd.run:
    - name: echo secret
    - no_log: true
    - require: [{test: failed}]
