apart:
  cmd.run:
    - name: exit 1
    - parallel: True
    - check_cmd: 'true'
skipped:
  cmd.run:
    - name: echo hi
    - parallel: True
    - onlyif: 'false'
    - check_cmd: 'true'
