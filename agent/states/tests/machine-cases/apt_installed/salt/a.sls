plain:
  pkg.installed:
    - name: mt-plain
    - aggregate: False
mt-here: pkg.installed
mt-app: pkg.installed
exact:
  pkg.installed:
    - name: mt-many
    - version: 1.0-1
    - require:
      - pkg: plain
many_again:
  pkg.installed:
    - pkgs:
      - mt-many: '>=1.2-1'
      - mt-here: '>=0.9'
      - mt-plain
down:
  pkg.installed:
    - pkgs:
      - mt-down: '1.0'
newest:
  pkg.installed:
    - name: mt-old
    - version: latest
right:
  pkg.installed:
    - pkgs:
      - mt-plain: '=1.0'
      - mt-here: 1.*
      - mt-app
epoch:
  pkg.installed:
    - name: mt-many
    - version: 0.5-1
none:
  pkg.installed:
    - pkgs: []
