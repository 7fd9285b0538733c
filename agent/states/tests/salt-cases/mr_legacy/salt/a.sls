
test.echo:
  module.run:
    - text: hi
by_name:
  module.run:
    - name: test.ping
with_m:
  module.run:
    - name: file.touch
    - m_name: "@R@/t"
missing:
  module.run:
    - name: test.echo
unknown:
  module.run:
    - name: no.such
no_dot:
  module.run:
    - name: nothing
varargs:
  module.run:
    - name: test.arg
    - args: [1, two]
    - kwargs: {k: v}
varargs_bad:
  module.run:
    - name: test.arg
    - args: text
kwargs_bad:
  module.run:
    - name: test.arg
    - kwargs: [1]
raises:
  module.run:
    - name: test.exception
    - message: boo
gives_false:
  module.run:
    - name: test.false
    - order: 1
none:
  module.run:
    - name: test.try
    - module: test.exception
dict:
  module.run:
    - name: test.kwarg
    - kwargs: {result: false, comment: c}
file_missing:
  module.run:
    - name: file.copy
    - src: "@R@/nope"
    - dst: "@R@/x"
cmd:
  module.run:
    - name: cmd.run
    - cmd: echo legacy
    - cwd: "@R@"
cmd_all:
  module.run:
    - name: cmd.run_all
    - cmd: sh -c "exit 2"
mixed_new:
  module.run:
    - test.ping: []
    - text: x
