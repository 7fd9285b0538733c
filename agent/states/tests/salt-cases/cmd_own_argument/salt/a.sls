named:
  cmd.run:
    - cmd: echo hi
