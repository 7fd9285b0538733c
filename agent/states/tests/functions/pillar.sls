a: {b: {c: 1, l: [1, {x: y}, 3]}, '2': two}
list: [1, 2]
merge: {k: {one: 1, l: [1]}, own: true}
empty: ''
none: null
yes_: true
shared: pillar
only: {p: 1}
master: {m: {n: 2}, shared: master, dotted.one: 1}
url: http://x
names: {web: {port: 80}, db: {port: 5432}}
