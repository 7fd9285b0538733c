one: &body
  file.managed:
    - name: "@R@/one"
    - contents: shared
two: *body
