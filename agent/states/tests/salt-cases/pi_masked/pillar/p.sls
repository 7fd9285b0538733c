a:
  none: null
  no_: false
  yes_: true
  zero: 0
  nought: 0.0
  one: 1
  text: secret
  empty: ''
  list: [1, 0, '', null, x, [], {}]
  map: {}
