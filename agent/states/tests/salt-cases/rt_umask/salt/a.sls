touch:
  cmd.run:
    - name: touch @R@/a; umask
    - umask: '077'
octal:
  cmd.run:
    - name: touch @R@/b
    - umask: 027
file:
  file.managed:
    - name: @R@/sub/dir/c
    - contents: x
    - makedirs: true
    - umask: '027'
folder:
  file.directory:
    - name: @R@/d
    - umask: '027'
