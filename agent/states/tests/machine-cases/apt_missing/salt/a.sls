nosuch:
  pkg.installed:
    - name: mt-nosuch
partly:
  pkg.installed:
    - pkgs:
      - mt-one
      - mt-nosuch
version:
  pkg.installed:
    - name: mt-one
    - version: '9.9'
newer:
  pkg.installed:
    - pkgs:
      - mt-one: '>=9'
      - mt-two
older:
  pkg.installed:
    - name: mt-one
    - version: '<0.5'
