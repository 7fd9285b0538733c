changes:
  test.succeed_with_changes
still:
  test.succeed_without_changes
waits:
  cmd.wait:
    - name: echo woken
    - watch: [{test: changes}]
waits_not:
  cmd.wait:
    - name: echo not woken
    - watch: [{test: still}]
watch_alias:
  cmd.watch:
    - name: echo alias
    - watch: [{test: changes}]
runs:
  cmd.run:
    - name: echo ran
    - watch: [{test: changes}]
stateful:
  cmd.wait:
    - name: echo "changed=yes comment=told"
    - stateful: True
    - watch: [{test: changes}]
script:
  cmd.wait_script:
    - name: salt://s.sh
    - watch: [{test: changes}]
script_not:
  cmd.wait_script:
    - name: salt://s.sh
    - watch: [{test: still}]
