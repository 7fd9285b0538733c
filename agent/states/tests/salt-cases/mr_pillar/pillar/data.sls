nothing: false
something: true
zero: 0
word: text
none: ~
many: [1, a, false, ~]
map: {a: 1, b: {c: d, e: ''}, f: []}
