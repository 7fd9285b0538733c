v: q
