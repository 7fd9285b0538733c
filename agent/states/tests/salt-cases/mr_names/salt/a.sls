
by_names:
  module.run:
    - names:
      - test.ping
      - test.true
restart_like:
  module.run:
    - name: test.arg
    - args: [a]
    - onchanges:
      - test: changed
changed:
  test.succeed_with_changes: []
not_run:
  module.run:
    - name: test.ping
    - onchanges:
      - test: same
same:
  test.nop: []
conditional:
  module.run:
    - name: test.ping
    - unless: "true"
retry:
  module.run:
    - name: test.false
    - retry: {attempts: 2, interval: 0}
listens:
  module.run:
    - test.echo: [heard]
    - listen:
      - test: changed
wait_listens:
  module.wait:
    - name: test.ping
    - listen:
      - test: changed
