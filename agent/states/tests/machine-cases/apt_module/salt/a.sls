hold:
  module.run:
    - pkg.hold:
      - name: mt-b
hold_again:
  module.run:
    - pkg.hold:
      - pkgs: [mt-b]
install:
  module.run:
    - name: pkg.install
    - m_name: mt-c
install_there:
  module.run:
    - pkg.install:
      - name: mt-c
install_older:
  module.run:
    - pkg.install:
      - name: mt-a
install_many:
  module.run:
    - pkg.install:
      - pkgs: [mt-d, mt-c]
install_version:
  module.run:
    - pkg.install:
      - name: mt-a
      - version: '1.0'
install_none:
  module.run:
    - pkg.install:
      - name: mt-nope
upgrade:
  module.run:
    - name: pkg.upgrade
    - refresh: false
unhold:
  module.run:
    - pkg.unhold:
      - name: mt-b
unhold_again:
  module.run:
    - pkg.unhold:
      - name: mt-b
upgrade_more:
  module.run:
    - pkg.upgrade:
      - refresh: false
      - dist_upgrade: true
remove:
  module.run:
    - pkg.remove:
      - name: mt-d
remove_none:
  module.run:
    - pkg.remove:
      - name: mt-nope
purge:
  module.run:
    - name: pkg.purge
    - pkgs: [mt-c, mt-d]
autoremove_list:
  module.run:
    - pkg.autoremove:
      - list_only: true
