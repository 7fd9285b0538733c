s: r
