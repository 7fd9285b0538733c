skipped:
  test.succeed_with_changes:
    - onlyif: 'false'
    - retry: {attempts: 3, interval: 0}
skipped_by_two:
  test.succeed_with_changes:
    - onlyif: 'true'
    - unless: 'true'
    - retry: True
