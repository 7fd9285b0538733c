mt-a:
  pkg.installed:
    - reinstall: True
both:
  pkg.installed:
    - pkgs: [mt-a, mt-b]
    - reinstall: True
