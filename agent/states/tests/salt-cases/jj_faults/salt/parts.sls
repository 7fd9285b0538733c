one:
  test.nop:
    - name: {{ pillar['nothing']['here'] }}
