mt-a: pkg.latest
mt-b: pkg.latest
fresh:
  pkg.latest:
    - name: mt-c
mixed:
  pkg.latest:
    - pkgs: [mt-b, mt-d]
nosuch:
  pkg.latest:
    - name: mt-nosuch
