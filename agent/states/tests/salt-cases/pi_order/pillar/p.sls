s: p
