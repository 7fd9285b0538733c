bad: {test.fail_without_changes: []}
mend:
  test.succeed_with_changes:
    - onfail: [{test: bad}]
    - onfail_stop: false
next: {test.nop: [{require: [{test: mend}]}]}
