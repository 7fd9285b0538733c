codes:
  cmd.run:
    - name: exit 3
    - success_retcodes: [2, 3]
codes_text:
  cmd.run:
    - name: exit 3
    - success_retcodes: "2, 3"
codes_one:
  cmd.run:
    - name: exit 4
    - success_retcodes: 4
codes_bad:
  cmd.run:
    - name: exit 4
    - success_retcodes: four
stdout_part:
  cmd.run:
    - name: echo it is already done; exit 1
    - success_stdout: [already]
stdout_text:
  cmd.run:
    - name: echo it is already done; exit 1
    - success_stdout: "nothing, already"
stderr_part:
  cmd.run:
    - name: echo warn all good >&2; exit 1
    - success_stderr: [good]
not_told:
  cmd.run:
    - name: echo no; exit 1
    - success_stdout: [never]
