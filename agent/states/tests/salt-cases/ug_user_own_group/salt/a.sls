# A formula's way: a group of the user's own by name, and that group in the list, too.
cleo-group:
  group.present:
    - name: cleo
cleo:
  user.present:
    - gid: cleo
    - groups: [cleo]
    - require: [{group: cleo}]
dan-group:
  group.present:
    - name: dan
dan:
  user.present:
    - gid: dan
    - groups: [dan, games]
    - optional_groups: [cleo, nothere]
    - remove_groups: 'False'
    - require: [{group: dan}]
