first: 1
