l:
  cmd.wait:
    - names:
      - echo 1:
        - order: last
      - echo 2
      - echo 3:
        - order: 1
c:
  test.succeed_with_changes:
    - listen_in: [{cmd: l}]
m:
  cmd.wait:
    - name: echo m
    - order: last
n:
  cmd.wait:
    - name: echo n
    - order: 2
d:
  test.succeed_with_changes:
    - listen_in: [{cmd: m}, {cmd: n}, {cmd: echo 1}]
