trigger:
  test.succeed_with_changes: []
mt-a:
  pkg.installed:
    - watch:
      - test: trigger
mt-b:
  pkg.held:
    - watch:
      - test: trigger
mt-group:
  pkg.group_installed: []
