mt-a: pkg.removed
gone:
  pkg.removed:
    - name: mt-f
two:
  pkg.removed:
    - pkgs:
      - mt-b
      - mt-f
purge:
  pkg.purged:
    - pkgs: [mt-c, mt-e]
