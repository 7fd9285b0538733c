# A command that names no folder starts at home.
of_who_runs_it:
  cmd.run:
    - name: test "$(pwd -P)" = "$(cd && pwd -P)" && echo at home
of_a_user:
  cmd.run:
    - name: pwd
    - runas: daemon
a_condition:
  cmd.run:
    - name: echo met
    - onlyif: test "$(pwd -P)" = "$(cd && pwd -P)"
a_script:
  cmd.script:
    - source: salt://pwd.sh
checked:
  test.nop:
    - check_cmd:
      - test "$(pwd -P)" = "$(cd && pwd -P)"
function:
  module.run:
    - cmd.run:
      - cmd: test "$(pwd -P)" = "$(cd && pwd -P)" && echo at home
      - python_shell: true
template:
  test.configurable_test_state:
    - changes: false
    - result: true
    - comment: {{ salt['cmd.run']('pwd', runas='daemon') }}
