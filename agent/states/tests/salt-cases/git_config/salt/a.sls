new:
  git.config_set:
    - name: test.new
    - value: 3
    - repo: @R@/work
same:
  git.config_set:
    - name: test.same
    - value: same
    - repo: @R@/work
changed:
  git.config_set:
    - name: test.changed
    - multivar:
      - a
      - b
    - repo: @R@/work
nothing:
  git.config_unset:
    - name: test.nothing
    - repo: @R@/work
many:
  git.config_unset:
    - name: test.many
    - repo: @R@/work
one_of_many:
  git.config_unset:
    - name: test.several
    - value_regex: ^two$
    - repo: @R@/work
