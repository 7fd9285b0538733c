first:
  cmd.run:
    - name: echo first >> @R@/log
    - prereq: [{cmd: second}]
second:
  cmd.run:
    - name: echo second >> @R@/log
    - prereq: [{file: third}]
third:
  file.managed:
    - name: @R@/third
    - contents: x
quiet:
  cmd.run:
    - name: echo never >> @R@/log
    - prereq: [{test: still}]
still: {test.succeed_without_changes: []}
fails-before:
  test.fail_without_changes:
    - prereq: [{file: kept}]
kept:
  file.managed:
    - name: @R@/kept
    - contents: x
target-fails:
  cmd.run:
    - name: echo never >> @R@/log
    - prereq: [{test: broken}]
broken: {test.fail_with_changes: []}
