s: q
