umask:
  cmd.run:
    - name: umask
    - umask: 077
umask_text:
  cmd.run:
    - name: umask
    - umask: '027'
umask_zero:
  cmd.run:
    - name: umask
    - umask: '000'
bash:
  cmd.run:
    - name: echo "${BASH_VERSION:+bash}"
    - shell: /bin/bash
no_shell:
  cmd.run:
    - name: echo x
    - shell: /bin/nosuchshell
no_cwd:
  cmd.run:
    - name: pwd
    - cwd: /no/such/folder
cwd:
  cmd.run:
    - name: pwd
    - cwd: /usr/bin
no_user:
  cmd.run:
    - name: id -un
    - runas: nosuchuser
user:
  cmd.run:
    - name: id -un; echo "$HOME $USER"; pwd
    - runas: daemon
user_cwd:
  cmd.run:
    - name: id -un; pwd
    - runas: daemon
    - cwd: /usr
signal:
  cmd.run:
    - name: kill -TERM $$
notfound:
  cmd.run:
    - name: nosuchcommandatall
