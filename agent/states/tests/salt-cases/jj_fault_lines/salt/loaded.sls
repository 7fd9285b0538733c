one:
  test.nop:
    - name: {{ salt.pillar.nosuch('a') }}
