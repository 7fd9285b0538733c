
fails:
  cmd.run:
    - name: exit 3
after:
  test.succeed_with_changes:
    - onlyif:
      - fun: test.true
after_unless:
  test.succeed_with_changes:
    - unless:
      - fun: test.false
code:
  test.succeed_with_changes:
    - onlyif:
      - fun: cmd.retcode
        cmd: "false"
code_unless:
  test.succeed_with_changes:
    - unless:
      - fun: cmd.retcode
        cmd: "false"
ignored:
  test.succeed_with_changes:
    - onlyif:
      - fun: cmd.retcode
        cmd: "false"
        ignore_retcode: true
run:
  test.succeed_with_changes:
    - onlyif:
      - fun: cmd.run
        cmd: "false"
set:
  test.succeed_with_changes:
    - onlyif:
      - fun: test.retcode
        code: 7
set_unless:
  test.succeed_with_changes:
    - unless:
      - fun: test.retcode
        code: 7
later:
  test.succeed_with_changes:
    - onlyif:
      - fun: test.true
