# What a state sets counts for the commands of later ones, and for where they start.
elsewhere:
  environ.setenv:
    - name: HOME
    - value: /usr
where:
  cmd.run:
    - name: pwd
more:
  environ.setenv:
    - name: PATH
    - value: /usr/bin:/bin
programs:
  cmd.run:
    - name: echo "$PATH"
    - prepend_path: /opt/bin
condition:
  cmd.run:
    - name: echo met
    - prepend_path: /opt/bin
    - onlyif: test "$PATH:$(pwd)" = /opt/bin:/usr/bin:/bin:/usr
