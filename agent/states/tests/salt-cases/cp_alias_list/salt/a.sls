one:
  file.managed: &list
    - name: "@R@/one"
    - contents: x
two:
  file.managed: *list
three: &body
  test.nop: []
four: *body
