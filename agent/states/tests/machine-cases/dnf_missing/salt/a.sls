newer:
  pkg.installed:
    - pkgs:
      - mt-one: '>=9'
      - mt-two
glob:
  pkg.installed:
    - name: mt-one
    - version: 9.*
