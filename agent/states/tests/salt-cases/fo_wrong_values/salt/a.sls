
before:
  file.managed: [{name: @R@/before}, {contents: b}]
mode:
  file.line: [{name: @R@/text}, {content: x}, {mode: nope}]
flags:
  file.replace: [{name: @R@/text}, {pattern: one}, {repl: x}, {flags: NOPE}]
times:
  file.touch: [{name: @R@/touched}, {mtime: yesterday}]
node:
  file.mknod: [{name: @R@/node}, {ntype: x}]
tidy:
  file.tidied: [{name: @R@}, {matches: ['(']}]
template:
  file.managed: [{name: @R@/template}, {source: salt://text}, {template: nosuch}]
template_contents:
  file.managed: [{name: @R@/template}, {contents: x}, {template: nosuch}]
serializer:
  file.serialize: [{name: @R@/data}, {dataset: {a: 1}}, {serializer: nosuch}]
option:
  file.serialize: [{name: @R@/data}, {dataset: {a: 1}}, {serializer: json}, {serializer_opts: [{nope: 1}]}]
backup:
  file.managed: [{name: @R@/text}, {contents: new}, {backup: .bak}]
after:
  file.managed: [{name: @R@/after}, {contents: a}]
