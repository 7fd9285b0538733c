octal:
  cmd.run:
    - name: umask
    - umask: 0o27
