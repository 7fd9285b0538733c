
{% for kind in ['onlyif', 'unless'] %}
{{ kind }}_true:
  test.succeed_with_changes:
    - {{ kind }}:
      - fun: test.true
{{ kind }}_false:
  test.succeed_with_changes:
    - {{ kind }}:
      - fun: test.false
{{ kind }}_args:
  test.succeed_with_changes:
    - {{ kind }}:
      - fun: file.file_exists
        path: "@R@/there"
{{ kind }}_list:
  test.succeed_with_changes:
    - {{ kind }}:
      - fun: test.echo
        args: ['']
      - fun: test.echo
        args: [x]
{{ kind }}_mixed:
  test.succeed_with_changes:
    - {{ kind }}:
      - test -f @R@/there
      - fun: test.echo
        text: x
      - fun: file.directory_exists
        args:
          - "@R@/nope"
{{ kind }}_get:
  test.succeed_with_changes:
    - {{ kind }}:
      - fun: test.kwarg
        a: {b: [0, 5]}
        get_return: a:b:1
{{ kind }}_get_none:
  test.succeed_with_changes:
    - {{ kind }}:
      - fun: test.kwarg
        a: 1
        get_return: nope
{{ kind }}_nofun:
  test.succeed_with_changes:
    - {{ kind }}:
      - args: [x]
{{ kind }}_retcode:
  test.succeed_with_changes:
    - {{ kind }}:
      - fun: cmd.retcode
        cmd: "true"
{{ kind }}_text:
  test.succeed_with_changes:
    - {{ kind }}: test -f @R@/there
{{ kind }}_bool:
  test.succeed_with_changes:
    - {{ kind }}: false
{{ kind }}_bool_true:
  test.succeed_with_changes:
    - {{ kind }}:
      - true
      - "true"
{{ kind }}_number:
  test.succeed_with_changes:
    - {{ kind }}: 5
{{ kind }}_nocommand:
  test.succeed_with_changes:
    - {{ kind }}: nope-no-such-command
{% endfor %}
