a:
  file.directory:
    - name: @R@/x
    - watch: [{test: b}]
b:
  test.fail_without_changes
