yes:
  cmd.run:
    - name: "echo noise; echo \"changed=yes comment='all new' x=1\""
    - stateful: True
no:
  cmd.run:
    - name: "echo \"changed=no comment='same'\""
    - stateful: True
one_line:
  cmd.run:
    - name: "echo changed=true comment=short"
    - stateful: True
json:
  cmd.run:
    - name: "printf '{\"changed\": true, \"comment\": \"as JSON\", \"list\": [1, 2]}'"
    - stateful: True
json_list:
  cmd.run:
    - name: "echo '[1, 2]'"
    - stateful: True
nonsense:
  cmd.run:
    - name: "echo this is no answer"
    - stateful: True
silent:
  cmd.run:
    - name: "echo only an error >&2"
    - stateful: True
failing:
  cmd.run:
    - name: "echo 'changed=yes comment=broken'; exit 3"
    - stateful: True
tested:
  cmd.run:
    - name: "echo 'changed=yes comment=real'"
    - stateful:
      - test_name: "echo 'changed=yes comment=dry'"
tested_no_change:
  cmd.run:
    - name: "echo 'changed=yes comment=real'"
    - stateful:
      - test_name: "echo 'changed=no comment=dry'"
word:
  cmd.run:
    - name: "echo 'changed=yes'"
    - stateful: "yes"
