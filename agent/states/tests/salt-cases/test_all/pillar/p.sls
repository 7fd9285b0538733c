a: {b: text, n: 3, t: true, l: [1], d: {x: 1}}
