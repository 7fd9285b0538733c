replace:
  file.replace: [{name: @R@/l1}, {pattern: one}, {repl: two}]
block:
  file.blockreplace: [{name: @R@/l2}, {content: x}, {append_if_not_found: true}]
block_bare:
  file.blockreplace: [{name: @R@/l3}, {content: x}, {append_if_not_found: true}, {backup: false}]
comment:
  file.comment: [{name: @R@/l4}, {regex: ^line}]
line:
  file.line: [{name: @R@/l5}, {content: x}, {mode: insert}, {location: end}]
nowhere:
  file.managed: [{name: @R@/d1}, {contents: x}]
nowhere_source:
  file.managed: [{name: @R@/d2}, {source: salt://text}]
nowhere_bare:
  file.managed: [{name: @R@/d3}]
nowhere_data:
  file.serialize: [{name: @R@/d4}, {dataset: {a: 1}}]
nowhere_append:
  file.append: [{name: @R@/d5}, {text: x}]
folder:
  file.directory: [{name: @R@/dl}, {mode: '0711'}]
folder_owner:
  file.directory: [{name: @R@/dl}, {user: daemon}, {group: daemon}]
