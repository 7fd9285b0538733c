plain:
  cmd.script:
    - source: salt://s.sh
    - name: s.sh one "two three"
args_list:
  cmd.script:
    - name: salt://s.sh
    - args: [a, 'b c']
args_text:
  cmd.script:
    - name: salt://s.sh
    - args: "x 'y z'"
missing:
  cmd.script:
    - name: salt://nosuch.sh
no_interpreter:
  cmd.script:
    - name: salt://bare.sh
python:
  cmd.script:
    - name: salt://p.py
user:
  cmd.script:
    - name: salt://who.sh
    - runas: daemon
env:
  cmd.script:
    - name: salt://env.sh
    - env: [A: 1, B: two]
    - cwd: /usr
stateful:
  cmd.script:
    - name: salt://st.sh
    - stateful: True
failing:
  cmd.script:
    - name: salt://fail.sh
    - success_retcodes: [4]
defaults:
  cmd.script:
    - name: salt://t.sh
    - template: jinja
    - defaults: {v: default, w: other}
    - context: {v: given}
bad_context:
  cmd.script:
    - name: salt://t.sh
    - template: jinja
    - context: [1]
no_cwd:
  cmd.script:
    - name: salt://s.sh
    - cwd: /no/such
