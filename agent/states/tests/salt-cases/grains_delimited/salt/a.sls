set:
  grains.present: [{name: a/b}, {value: 1}, {delimiter: /}]
there:
  grains.exists: [{name: a/b}, {delimiter: /}]
a pattern:
  grains.absent: [{name: c--d}, {delimiter: "-+"}]
each sign:
  grains.absent: [{name: c.d}, {delimiter: .}]
list:
  grains.list_present: [{name: x/y}, {value: [1, 2]}, {delimiter: /}]
less:
  grains.list_absent: [{name: l/m}, {value: [3]}, {delimiter: /}]
nothing in it:
  grains.append: [{name: e/m}, {value: 2}, {delimiter: /}]
becomes a list:
  grains.append: [{name: p/q}, {value: two}, {delimiter: /}, {convert: true}]
never there:
  grains.absent: [{name: no/pe}, {delimiter: /}]
