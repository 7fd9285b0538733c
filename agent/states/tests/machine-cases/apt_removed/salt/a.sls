mt-a: pkg.removed
gone:
  pkg.removed:
    - name: mt-f
version:
  pkg.removed:
    - name: mt-b
    - version: '2.0'
two:
  pkg.removed:
    - pkgs:
      - mt-b
      - mt-f
purge:
  pkg.purged:
    - pkgs: [mt-c, mt-e]
purge_none:
  pkg.purged:
    - name: mt-f
again:
  pkg.purged:
    - name: mt-a
versioned:
  pkg.removed:
    - pkgs:
      - mt-d: '1.0'
