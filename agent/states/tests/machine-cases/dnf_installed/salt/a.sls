plain:
  pkg.installed:
    - name: mt-plain
mt-here: pkg.installed
mt-app: pkg.installed
exact:
  pkg.installed:
    - name: mt-many
    - version: 1.0-1
many:
  pkg.installed:
    - pkgs:
      - mt-many: '>=1.2-1'
      - mt-here: '>=0.9'
      - mt-plain
short:
  pkg.installed:
    - name: mt-here
    - version: '1.0'
down:
  pkg.installed:
    - pkgs:
      - mt-down: 1.0-1
newest:
  pkg.installed:
    - name: mt-old
    - version: latest
arch:
  pkg.installed:
    - name: mt-plain.noarch
options:
  pkg.installed:
    - name: mt-lib
    - fromrepo: local
    - setopt: keepcache=0
