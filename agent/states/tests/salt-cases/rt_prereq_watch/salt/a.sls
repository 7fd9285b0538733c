source:
  file.managed:
    - name: @R@/source
    - contents: x
waiter:
  cmd.wait:
    - name: echo waited >> @R@/log
    - watch: [{file: source}]
before:
  cmd.run:
    - name: echo before >> @R@/log
    - prereq: [{cmd: waiter}]
