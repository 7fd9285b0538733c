some:
  pkg.latest:
    - pkgs: [mt-a, mt-b, mt-c]
