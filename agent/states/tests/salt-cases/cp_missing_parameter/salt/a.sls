link:
  file.symlink:
    - name: @R@/link
gathered:
  file.accumulated: []
