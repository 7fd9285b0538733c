
missing_arg:
  module.run:
    - test.echo:
unexpected:
  module.run:
    - test.echo:
      - text: a
      - nope: b
too_many:
  module.run:
    - test.echo: [a, b]
text_for_list:
  module.run:
    - test.ping: abc
number_for_list:
  module.run:
    - test.ping: 5
invocation:
  module.run:
    - file.readlink:
      - path: relative
mixed:
  module.run:
    - test.ping:
    - test.echo:
    - test.false:
    - test.echo:x: [ok]
two_missing:
  module.run:
    - no.such: []
    - neither.here: []
    - test.ping: []
