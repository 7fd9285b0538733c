b1:
  test.nop:
    - name: thename
