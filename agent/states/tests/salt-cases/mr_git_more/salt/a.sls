{% set copy = '@R@/copy' -%}
told:
  test.show_notification:
    - text: |
        {{ salt['git.status'](copy) | json }}
        {{ salt['git.remotes'](copy) | json }}
        {{ salt['git.remotes'](copy, redact_auth=False) | json }}
        {{ salt['git.remote_get'](copy) | json }}
        {{ salt['git.config_get']('some.key', copy) | json }}
        {{ salt['git.config_get']('some.key', copy, all=True) | json }}
        {{ salt['git.config_get']('some.none', copy) | json }}
        {{ salt['git.diff'](copy) | json }}
        {{ salt['git.diff'](copy, 'v1', 'v1a', opts='--stat --') | json }}
        {{ salt['git.diff'](copy, paths='none', cached=True) | json }}
        {{ salt['git.diff'](copy, no_index=True, paths=['a', 'a file']) | json }}
fetch_out_of_band:
  module.run:
    - git.fetch:
      - cwd: @R@/copy
      - opts: '--tags --force'
fetch_remote:
  module.run:
    - git.fetch:
      - cwd: @R@/old
      - remote: origin
      - refspecs: main:refs/heads/other,dev
      - force: true
fetch_nothing:
  module.run:
    - name: git.fetch
    - cwd: @R@/copy
    - remote: origin
fetch_missing:
  module.run:
    - git.fetch:
      - cwd: @R@/copy
      - remote: nowhere
branch:
  module.run:
    - git.branch:
      - cwd: @R@/copy
      - name: mine
branch_again:
  module.run:
    - git.branch:
      - cwd: @R@/copy
      - name: mine
branch_delete:
  module.run:
    - git.branch:
      - cwd: @R@/copy
      - name: mine
      - opts: -d
archive:
  module.run:
    - git.archive:
      - cwd: @R@/copy
      - output: @R@/copy.tar
      - format: tar
      - prefix: ''
      - rev: v1
discard:
  module.run:
    - git.discard_local_changes:
      - cwd: @R@/copy
rebase:
  module.run:
    - git.rebase:
      - cwd: @R@/old
      - rev: origin/main
rebase_interactive:
  module.run:
    - git.rebase:
      - cwd: @R@/old
      - opts: -i
remote_missing:
  module.run:
    - git.remote_get:
      - cwd: @R@/copy
      - remote: none
both:
  module.run:
    - git.diff:
      - cwd: @R@/copy
      - cached: true
      - no_index: true
