no_check:
  file.managed:
    - name: @R@/off
    - contents: x
    - check_cmd: false
no_value:
  file.managed:
    - name: @R@/none
    - contents: x
    - check_cmd:
no_text:
  file.serialize:
    - name: @R@/empty
    - dataset: {a: 1}
    - serializer: json
    - check_cmd: ''
