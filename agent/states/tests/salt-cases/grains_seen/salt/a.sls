present:
  grains.present: [{name: seen_new, value: 7}]
old:
  grains.present: [{name: seen_old, value: o}]
deep:
  grains.present: [{name: 'seen_deep:a:b', value: [1]}]
listed:
  grains.list_present: [{name: seen_list, value: [x, y]}]
set:
  module.run:
    - grains.setval: [{key: seen_set}, {val: 8}]
before:
  file.managed:
    - name: /mnt/before
    - source: salt://t.j2
    - template: jinja
over:
  grains.present: [{name: seen_old, value: over}]
emptied:
  grains.absent: [{name: seen_set}]
destroyed:
  grains.absent: [{name: seen_new, destructive: true}]
after:
  file.managed:
    - name: /mnt/after
    - source: salt://t.j2
    - template: jinja
