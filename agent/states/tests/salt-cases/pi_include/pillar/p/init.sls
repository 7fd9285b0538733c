include:
  - .more
  - q:
      defaults: {who: me}
      key: deep:er
  - r
  - 'g.*'
own: {a: 1}
