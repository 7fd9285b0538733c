extend:
  a1:
    test:
      - require: one
      - watch: [[x]]
      - onchanges: [{test: [a]}]
      - names: x
      - listen: [{test.nop: a2}]
        order: 1
  a2:
    test:
      - a function
      - onfail: [5]
b1:
  test.nop:
    - name: two
