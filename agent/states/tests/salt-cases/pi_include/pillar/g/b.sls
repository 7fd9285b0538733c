gb: 1
