slow:
  cmd.run:
    - name: sleep 0.3; echo slow >> @R@/log
    - parallel: true
fails:
  cmd.run:
    - name: sleep 0.1; exit 3
    - parallel: true
between:
  file.managed:
    - name: @R@/between
    - contents: x
needs-slow:
  cmd.run:
    - name: echo needs >> @R@/log
    - parallel: true
    - require: [{cmd: slow}]
needs-failed:
  cmd.run:
    - name: echo never >> @R@/log
    - require: [{cmd: fails}]
on-change:
  cmd.run:
    - name: echo changed >> @R@/log2
    - onchanges: [{cmd: slow}]
skipped:
  cmd.run:
    - name: echo never
    - parallel: true
    - onlyif: "false"
on-failure:
  test.succeed_with_changes:
    - onfail: [{cmd: fails}]
