include: [b]
extend:
  b1:
    cmd.run:
      - name: 'true'
