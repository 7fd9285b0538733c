z: {y: 1, b: {d: 1, c: 2}, a: [1, {q: 1, p: 2}]}
ports: {443: https, 80: http, '80': text, 1.5: f, yes: t, ~: n}
only: {10: a, 9: b, 100: c}
3: three
