
ping:
  module.run:
    - test.ping:
several:
  module.run:
    - test.ping: []
    - test.echo:
      - text: hello
    - test.arg:
      - one
      - 2
      - k: v
      - z: [1, {a: b}]
same:
  module.run:
    - test.echo:a:
      - x
    - test.echo:b:
      - text: y
named:
  module.run:
    - name: ignored
    - test.echo: [q]
gives_false:
  module.run:
    - test.false:
    - test.true:
none:
  module.run:
    - test.try:
      - module: test.exception
dict_result:
  module.run:
    - test.kwarg:
      - result: false
      - comment: did not work
dict_deep:
  module.run:
    - test.kwarg:
      - a: {retcode: 3}
dict_ok:
  module.run:
    - test.kwarg:
      - comment: fine
      - result: true
