
acc1:
  file.accumulated:
    - filename: "@R@/f1"
    - text: one
    - require_in:
      - file: blk
acc2:
  file.accumulated:
    - filename: "@R@/f1"
    - name: other
    - text:
      - two
      - three
      - two
    - require_in:
      - file: blk
orphan:
  file.accumulated:
    - filename: "@R@/f1"
    - text: nothing
acc3:
  file.accumulated:
    - filename: "@R@/f2"
    - name: my_acc
    - text: [x, y]
    - require_in:
      - file: man
blk:
  file.blockreplace:
    - name: "@R@/f1"
    - marker_start: '#-- start'
    - marker_end: '#-- end'
    - content: zero
    - show_changes: true
man:
  file.managed:
    - name: "@R@/f2"
    - source: salt://acc.j2
    - template: jinja
number:
  file.accumulated:
    - filename: "@R@/f3"
    - text: 5
    - require_in: [{file: nothing_gathered}]
keys:
  file.accumulated:
    - name: my_acc
    - filename: "@R@/f4"
    - text: {k: 1, l: 2}
    - require_in: [{file: keys_gathered}]
nothing_gathered:
  file.managed: [{name: "@R@/f3"}, {source: salt://acc.j2}, {template: jinja}]
keys_gathered:
  file.managed: [{name: "@R@/f4"}, {source: salt://acc.j2}, {template: jinja}]
