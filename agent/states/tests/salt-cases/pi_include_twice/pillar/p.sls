include:
  - q: {key: one}
  - q: {key: two}
