changes:
  test.succeed_with_changes
fail_comment:
  test.fail_without_changes:
    - comment: my words
fail_changes:
  test.fail_with_changes:
    - comment: my words
ok_comment:
  test.succeed_without_changes:
    - comment: fine words
conf:
  test.configurable_test_state:
    - changes: False
    - result: False
    - comment: said
conf2:
  test.configurable_test_state:
    - changes: True
    - result: False
conf3:
  test.configurable_test_state:
    - changes: True
    - result: False
    - allow_test_mode_failure: True
conf4:
  test.configurable_test_state:
    - changes: False
watching:
  test.nop:
    - watch: [{test: changes}]
note:
  test.show_notification:
    - text: hear ye
pillar_fine:
  test.check_pillar:
    - present: [a, 'a:b']
    - string: 'a:b'
    - listing: 'a:l'
    - dictionary: ['a:d', a]
    - verbose: True
pillar_bad:
  test.check_pillar:
    - present: [nosuch, 'a:b']
    - string: ['a:l']
    - integer: ['a:b', 'a:l']
    - boolean: 'a:d'
    - listing: 'a:d'
    - dictionary: 'a:nosuch'
