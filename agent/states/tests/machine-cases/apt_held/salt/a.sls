mt-a: pkg.held
mt-b: pkg.held
free:
  pkg.unheld:
    - name: mt-c
both:
  pkg.unheld:
    - pkgs: [mt-a, mt-d]
exact:
  pkg.held:
    - pkgs: [mt-b]
    - replace: True
with_install:
  pkg.installed:
    - name: mt-d
    - hold: True
already:
  pkg.installed:
    - pkgs: [mt-a, mt-d]
    - hold: True
loose:
  pkg.installed:
    - name: mt-a
    - hold: False
