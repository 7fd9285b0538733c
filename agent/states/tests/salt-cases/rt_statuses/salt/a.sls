good: {test.succeed_without_changes: []}
new: {test.succeed_with_changes: []}
bad: {test.fail_without_changes: []}
bad-new: {test.fail_with_changes: []}
onfail-both: {test.succeed_with_changes: [{onfail: [{test: bad}, {test: good}]}]}
onfail-and-require: {test.succeed_with_changes: [{onfail: [{test: bad}]}, {require: [{test: good}]}]}
onfail-and-require-bad: {test.succeed_with_changes: [{onfail: [{test: bad}]}, {require: [{test: bad-new}]}]}
onfail-good-onchanges-new: {test.succeed_with_changes: [{onfail: [{test: good}]}, {onchanges: [{test: new}]}]}
onfail-good-watch-new: {test.succeed_with_changes: [{onfail: [{test: good}]}, {watch: [{test: new}]}]}
onchanges-failed: {test.succeed_with_changes: [{onchanges: [{test: bad-new}]}]}
onchanges-any-mixed: {test.succeed_with_changes: [{onchanges_any: [{test: bad-new}, {test: new}, {test: good}]}]}
onchanges-and-require-bad: {test.succeed_with_changes: [{onchanges: [{test: new}]}, {require: [{test: bad}]}]}
require-any-mixed: {test.succeed_with_changes: [{require_any: [{test: bad}, {test: good}]}]}
require-any-bad: {test.succeed_with_changes: [{require_any: [{test: bad}, {test: bad-new}]}]}
watch-any-changed: {test.succeed_without_changes: [{watch_any: [{test: bad}, {test: new}]}]}
watch-any-bad: {test.succeed_without_changes: [{watch_any: [{test: bad}, {test: bad-new}]}]}
onfail-all-bad: {test.succeed_with_changes: [{onfail_all: [{test: bad}, {test: bad-new}]}]}
onfail-all-mixed: {test.succeed_with_changes: [{onfail_all: [{test: bad}, {test: good}]}]}
onfail-any-mixed: {test.succeed_with_changes: [{onfail_any: [{test: bad}, {test: good}]}]}
skipped: {test.succeed_with_changes: [{onfail: [{test: good}]}]}
after-skipped: {test.succeed_with_changes: [{require: [{test: skipped}]}]}
onchanges-skipped: {test.succeed_with_changes: [{onchanges: [{test: skipped}]}]}
onfail-any-skipped: {test.succeed_with_changes: [{onfail: [{test: skipped}, {test: bad}]}]}
chain-a: {test.nop: [{require: [{test: require-any-bad}]}]}
chain-b: {test.nop: [{require: [{test: chain-a}]}]}
onfail-chain: {test.nop: [{onfail: [{test: chain-b}]}]}
watch-cmd:
  cmd.wait:
    - name: echo watched
    - watch: [{test: new}]
watch-run:
  cmd.run:
    - name: echo ran
    - watch: [{test: new}]
watch-skip:
  cmd.run:
    - name: echo ran
    - unless: "true"
    - watch: [{test: new}]
watch-file:
  file.managed:
    - name: @R@/f
    - contents: x
    - watch: [{test: new}]
