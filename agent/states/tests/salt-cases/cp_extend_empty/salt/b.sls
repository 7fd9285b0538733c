exclude: []
