slash:
  file.symlink:
    - name: "@R@/slash/"
    - target: "@R@/t"
over_dangling:
  file.hardlink:
    - name: "@R@/dangling"
    - target: "@R@/t"
over_dangling_forced:
  file.hardlink:
    - name: "@R@/dangling"
    - target: "@R@/t"
    - force: True
over_link:
  file.hardlink:
    - name: "@R@/link"
    - target: "@R@/t"
    - force: True
