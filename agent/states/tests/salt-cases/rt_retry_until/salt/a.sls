grows:
  cmd.run:
    - name: echo x >> @R@/count; test $(wc -l < @R@/count) -ge 3
    - retry:
        attempts: 5
        interval: 0
gives-up:
  cmd.run:
    - name: exit 4
    - retry: {attempts: 3, interval: 0, splay: 0}
until-false:
  test.succeed_without_changes:
    - retry: {attempts: 2, until: false, interval: 0}
after:
  test.nop:
    - require:
      - cmd: grows
