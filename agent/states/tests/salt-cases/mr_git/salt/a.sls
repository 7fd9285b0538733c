clone:
  module.run:
    - git.clone:
      - cwd: @R@/copy
      - url: @R@/origin.git
clone_old:
  module.run:
    - name: git.clone
    - cwd: @R@/copies
    - url: @R@/origin.git
    - m_name: two
    - opts: --depth 1 --quiet
config:
  module.run:
    - git.config_set:
      - key: some.name
      - value: Me
      - cwd: @R@/copy
config_old:
  module.run:
    - name: git.config_set
    - key: core.sparseCheckout
    - value: 'true'
    - cwd: @R@/copy
config_global:
  module.run:
    - git.config_set:
      - key: some.name
      - value: Me
checkout:
  module.run:
    - git.checkout:
      - cwd: @R@/copy
      - opts: -b other
checkout_none:
  module.run:
    - git.checkout:
      - cwd: @R@/copy
checkout_missing:
  module.run:
    - git.checkout:
      - cwd: @R@/copy
      - rev: nope
remote:
  module.run:
    - git.remote_set:
      - cwd: @R@/copy
      - url: @R@/origin.git
remote_push:
  module.run:
    - git.remote_set:
      - cwd: @R@/copy
      - url: @R@/origin.git
      - remote: more
      - push_url: @R@/push
init:
  module.run:
    - git.init:
      - cwd: @R@/fresh
      - opts: --quiet
submodule:
  module.run:
    - name: git.submodule
    - cwd: @R@/copy
    - command: update
    - opts: '--init --recursive'
no_folder:
  module.run:
    - git.pull:
      - cwd: @R@/none
remote_secret:
  module.run:
    - git.remote_set:
      - cwd: @R@/copy
      - url: https://bob:s3cret@example.com/x.git
      - remote: secret
      - push_url: HTTP://bob:s3cret@example.com/y.git
remote_wrong:
  module.run:
    - git.remote_set:
      - cwd: @R@/copy
      - url: https://bob:s3cret@example.com/x.git
      - remote: 'a name'
clone_nameless:
  module.run:
    - git.clone:
      - cwd: @R@/nameless
      - url: @R@/origin.git
      - name: ''
checkout_empty:
  module.run:
    - git.checkout:
      - cwd: @R@/copy
      - rev: ''
config_many:
  module.run:
    - git.config_set:
      - key: some.more
      - multivar: [a, b]
      - cwd: @R@/copy
config_many_add:
  module.run:
    - git.config_set:
      - key: some.more
      - multivar: [c, d]
      - add: true
      - cwd: @R@/copy
config_add:
  module.run:
    - git.config_set:
      - key: some.more
      - value: e
      - add: true
      - cwd: @R@/copy
config_nothing:
  module.run:
    - git.config_set:
      - key: some.more
      - cwd: @R@/copy
tag:
  module.run:
    - git.tag:
      - cwd: @R@/copy
      - name: new
tag_again:
  module.run:
    - git.tag:
      - cwd: @R@/copy
      - name: v1
tag_delete:
  module.run:
    - git.tag:
      - cwd: @R@/copy
      - name: new
      - opts: -d
