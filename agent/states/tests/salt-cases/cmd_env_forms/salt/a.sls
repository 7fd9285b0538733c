map:
  cmd.run:
    - name: echo "$A-$B"
    - env: {A: one, B: 2}
list:
  cmd.run:
    - name: echo "$A-$B"
    - env:
      - A: one
      - B: 'yes'
null:
  cmd.run:
    - name: echo "${A-unset}-"
    - env:
      - A:
bool:
  cmd.run:
    - name: echo "$A-$B"
    - env:
      - A: False
      - B: yes
text:
  cmd.run:
    - name: echo "$A"
    - env: "A=1"
empty:
  cmd.run:
    - name: echo none
    - env: []
prepend:
  cmd.run:
    - name: echo "$PATH"
    - env: {PATH: /bin:/usr/bin}
    - prepend_path: /opt/x/bin
locale:
  cmd.run:
    - name: echo "$LC_CTYPE $LC_MESSAGES $LANGUAGE $LC_ALL $LC_TIME"
    - env: {LC_ALL: C.UTF-8, LC_TIME: en_GB}
clean:
  cmd.run:
    - name: env | sort | grep -v ^_= | grep -v ^PWD
    - clean_env: True
    - env: {ONE: "1", PATH: /usr/bin}
