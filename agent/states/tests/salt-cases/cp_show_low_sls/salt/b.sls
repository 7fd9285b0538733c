other:
  test.nop:
    - x: {80: y, yes: z}
    - context: {80: y, yes: z, 1.5: ~}
