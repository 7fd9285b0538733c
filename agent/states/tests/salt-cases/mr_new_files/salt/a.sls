
touch:
  module.run:
    - file.touch:
      - name: "@R@/new"
write:
  module.run:
    - file.write:
      - "@R@/w"
      - one
      - two
append:
  module.run:
    - file.append:
      - "@R@/old"
      - args: [x, y]
copy:
  module.run:
    - file.copy:
      - src: "@R@/old"
      - dst: "@R@/copied"
mode:
  module.run:
    - file.set_mode:
      - path: "@R@/copied"
      - mode: '0600'
link:
  module.run:
    - file.symlink:
      - "@R@/old"
      - "@R@/ln"
rename:
  module.run:
    - file.rename:
      - src: "@R@/w"
      - dst: "@R@/w2"
makedirs:
  module.run:
    - file.makedirs:
      - path: "@R@/x/y/z"
mkdir:
  module.run:
    - file.mkdir:
      - dir_path: "@R@/m"
      - mode: '0700'
remove:
  module.run:
    - file.remove:
      - path: "@R@/gone"
    - file.remove:again:
      - path: "@R@/gone"
truncate:
  module.run:
    - file.truncate:
      - path: "@R@/long"
      - length: 3
