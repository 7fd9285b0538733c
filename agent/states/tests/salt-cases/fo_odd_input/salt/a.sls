# Texts that are no UTF-8.
append-latin:
  file.append: [{name: "@R@/l1"}, {text: two}]
prepend-latin:
  file.prepend: [{name: "@R@/l2"}, {text: two}]
keyvalue-latin:
  file.keyvalue: [{name: "@R@/l3"}, {key: foo}, {value: 2}]
line-latin:
  file.line: [{name: "@R@/l4"}, {content: new}, {mode: insert}, {location: end}]
block-latin:
  file.blockreplace: [{name: "@R@/l5"}, {content: new}, {append_if_not_found: true}]
comment-latin:
  file.comment: [{name: "@R@/l6"}, {regex: '^foo'}]
# What is no text is no template.
binary-template:
  file.managed: [{name: "@R@/bin"}, {source: 'salt://bin'}, {template: jinja}]
mixed-folder:
  file.recurse: [{name: "@R@/mixed"}, {source: 'salt://mixed'}, {template: jinja}, {context: {x: 5}}]
# Sources and texts.
append-nothing:
  file.append: [{name: "@R@/text"}]
append-no-template:
  file.append: [{name: "@R@/text2"}, {source: 'salt://a.sls'}, {template: null}]
append-missing:
  file.append: [{name: "@R@/text2"}, {source: 'salt://none'}]
prepend-other-env:
  file.prepend: [{name: "@R@/text2"}, {source: 'salt://mixed/tpl?saltenv=none'}]
block-missing:
  file.blockreplace: [{name: "@R@/text2"}, {source: 'salt://none'}, {append_if_not_found: true}]
block-list:
  file.blockreplace: [{name: "@R@/text2"}, {content: [a, b]}, {append_if_not_found: true}]
block-number:
  file.blockreplace: [{name: "@R@/text2"}, {content: 5}, {append_if_not_found: true}, {append_newline: true}]
managed-other-env:
  file.managed: [{name: "@R@/new"}, {source: 'salt://mixed/tpl?saltenv=none'}]
keyvalue-both:
  file.keyvalue: [{name: "@R@/kv"}, {key: k}, {value: 2}, {key_values: {k: 3}}]
keyvalue-separator:
  file.keyvalue: [{name: "@R@/kv"}, {key: k}, {value: 2}, {separator: ''}]
# Names and owners.
managed-nameless:
  file.managed: [{name: ''}, {contents: x}]
append-nameless:
  file.append: [{name: ''}, {text: x}]
managed-quoted-user:
  file.managed: [{name: "@R@/owned"}, {contents: x}, {user: '0'}]
link-quoted-user:
  file.symlink: [{name: "@R@/owned"}, {target: text}, {user: '0'}]
link-number:
  file.symlink: [{name: "@R@/owned-link"}, {target: 5}]
folder-recurse:
  file.directory: [{name: "@R@/d"}, {user: daemon}, {mode: 755}, {recurse: [ignore_dirs]}]
folder-recurse-text:
  file.directory: [{name: "@R@/e"}, {mode: 750}, {recurse: mode}]
# Copies and links.
hard-link-to-link:
  file.hardlink: [{name: "@R@/hard"}, {target: "@R@/link"}]
folder-over-file:
  file.copy: [{name: "@R@/text3"}, {source: "@R@/d"}, {force: true}]
empty-refused:
  file.managed: [{name: "@R@/refused"}, {mode: 640}, {check_cmd: 'test -s'}]
empty-unchecked:
  file.managed: [{name: "@R@/unchecked"}, {check_cmd: 'test -s'}]
archive-missing:
  archive.extracted: [{name: "@R@/ar"}, {source: 'salt://none.tar.gz'}]
# Commands.
python-shell:
  cmd.run: [{name: 'true'}, {python_shell: true}]
stateful-list:
  cmd.run: [{name: 'true'}, {stateful: [true]}]
script-nowhere:
  cmd.script: [{name: nowhere}]
