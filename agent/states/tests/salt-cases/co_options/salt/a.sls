
cwd:
  cmd.run:
    - name: echo hi
    - cwd: "@R@/d"
    - onlyif: test -f f
cwd_excluded:
  cmd.run:
    - name: echo hi
    - cwd: "@R@/d"
    - cmd_opts_exclude: [cwd]
    - onlyif: test -f f
env:
  cmd.run:
    - name: echo hi
    - env:
      - X: '1'
    - unless: test "$X" = 1
env_excluded:
  cmd.run:
    - name: echo hi
    - env:
      - X: '1'
    - cmd_opts_exclude: env
    - unless: test "$X" = 1
bad_cwd_onlyif:
  test.nop:
    - cwd: /nope
    - onlyif: "true"
bad_cwd_unless:
  test.nop:
    - cwd: /nope
    - unless: "false"
shell:
  cmd.run:
    - name: echo hi
    - shell: /bin/bash
    - onlyif: '[[ a == a* ]]'
success_retcodes:
  cmd.run:
    - name: echo hi
    - success_retcodes: [3]
    - onlyif: exit 3
timeout:
  cmd.run:
    - name: echo hi
    - timeout: 1
    - onlyif: sleep 30
runas_nobody:
  test.nop:
    - runas: nosuchuser
    - onlyif: "true"
runas_nobody_unless:
  test.nop:
    - runas: nosuchuser
    - unless: "true"
