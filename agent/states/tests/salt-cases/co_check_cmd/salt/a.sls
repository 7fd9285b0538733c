
good:
  test.succeed_with_changes:
    - check_cmd: "true"
bad:
  test.succeed_with_changes:
    - check_cmd: "false"
list:
  test.succeed_with_changes:
    - check_cmd:
      - "true"
      - exit 3
list_good:
  test.fail_without_changes:
    - check_cmd:
      - "true"
      - test -d /
nochange:
  test.nop:
    - check_cmd: test -f @R@/there
skipped:
  test.succeed_with_changes:
    - onlyif: "false"
    - check_cmd: "false"
cmd:
  cmd.run:
    - name: echo hi
    - check_cmd: "false"
cmd_cwd:
  cmd.run:
    - name: "true"
    - cwd: "@R@/d"
    - check_cmd: test -f f
directory:
  file.directory:
    - name: "@R@/new"
    - check_cmd: "false"
