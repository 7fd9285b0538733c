
one:
  test.succeed_with_changes:
    - creates: "@R@/there"
none:
  test.succeed_with_changes:
    - creates: "@R@/nope"
all:
  test.succeed_with_changes:
    - creates: ["@R@/there", "@R@/d"]
some:
  test.succeed_with_changes:
    - creates: ["@R@/there", "@R@/nope"]
empty:
  test.succeed_with_changes:
    - creates: []
with_others:
  test.succeed_with_changes:
    - creates: "@R@/there"
    - onlyif: "true"
    - unless: "false"
two_skip:
  test.succeed_with_changes:
    - creates: "@R@/there"
    - unless: "true"
watcher:
  test.succeed_without_changes:
    - watch:
      - test: one
    - onchanges:
      - test: none
