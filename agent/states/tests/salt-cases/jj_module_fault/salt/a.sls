x:
  test.nop:
    - name: {{ salt.test.nope() }}
