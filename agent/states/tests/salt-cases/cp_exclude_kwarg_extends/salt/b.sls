extend:
  x:
    test:
      - require: [{test: z}]
z: test.nop
