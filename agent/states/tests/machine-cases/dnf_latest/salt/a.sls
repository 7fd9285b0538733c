mt-a: pkg.latest
some:
  pkg.latest:
    - pkgs: [mt-b, mt-c]
same:
  pkg.latest:
    - pkgs: [mt-a, mt-b]
nosuch:
  pkg.latest:
    - name: mt-nosuch
all_of_it:
  pkg.uptodate:
    - pkgs: [mt-d]
