new:
  module.run:
    - file.nope:
      - path: /x
old:
  module.run:
    - name: pkg.nope
    - x: 1
