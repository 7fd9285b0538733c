ga: 1
