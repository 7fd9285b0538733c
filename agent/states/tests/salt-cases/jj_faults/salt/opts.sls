one:
  test.nop:
    - name: {{ opts.nothing }}
