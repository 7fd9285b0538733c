
run:
  module.run:
    - cmd.run:
      - cmd: echo a b
run_pos:
  module.run:
    - cmd.run: [echo pos]
no_shell:
  module.run:
    - cmd.run:
      - cmd: echo a | cat
shell:
  module.run:
    - cmd.run:
      - cmd: echo a | tr a b
      - python_shell: true
fails:
  module.run:
    - cmd.run:
      - cmd: "false"
retcode:
  module.run:
    - cmd.retcode:
      - cmd: sh -c "exit 4"
all_fails:
  module.run:
    - cmd.run_all:
      - cmd: sh -c "echo o; echo e >&2; exit 4"
cwd:
  module.run:
    - cmd.run:
      - cmd: ls
      - cwd: "@R@/d"
env:
  module.run:
    - cmd.shell:
      - cmd: echo $X
      - env:
        - X: y
clean_env:
  module.run:
    - cmd.run:
      - cmd: env | grep -v '^_=\|^PWD=\|^SHLVL=' | sort
      - python_shell: true
      - clean_env: true
      - env: {A: b}
left:
  module.run:
    - cmd.run_bg:
      - cmd: sleep 0
      - timeout: 1
left_stdin:
  module.run:
    - cmd.run_bg:
      - cmd: cat
      - stdin: a
left_vt:
  module.run:
    - cmd.run_bg:
      - cmd: cat
      - use_vt: true
