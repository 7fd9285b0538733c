over:
  cmd.run:
    - name: sleep 30
    - timeout: 1
ignored:
  cmd.run:
    - name: sleep 30
    - timeout: 1
    - ignore_timeout: True
hidden:
  cmd.run:
    - name: sleep 30
    - timeout: 1
    - hide_output: True
in_time:
  cmd.run:
    - name: echo done
    - timeout: 20
zero:
  cmd.run:
    - name: echo none
    - timeout: 0
said:
  cmd.run:
    - name: echo "Timed out after a while"; exit 1
    - ignore_timeout: True
background:
  cmd.run:
    - name: sleep 1
    - bg: True
