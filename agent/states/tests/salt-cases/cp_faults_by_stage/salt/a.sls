one:
  test.nop:
    - require: [test: nobody, cmd: nobody]
    - watch: [test: nobody]
two:
  test.nop:
    - onchanges: [test: nobody]
    - listen: [test: nobody]
