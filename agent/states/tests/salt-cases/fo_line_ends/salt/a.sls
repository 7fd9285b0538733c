
line_after:
  file.line: [{name: @R@/line}, {content: z=1}, {mode: insert}, {after: k=v}]
line_replace:
  file.line: [{name: @R@/line}, {content: k=w}, {match: k=v}, {mode: replace}]
value:
  file.keyvalue: [{name: @R@/value}, {key: k}, {value: w}]
no_sign:
  file.keyvalue: [{name: @R@/value}, {key: k}, {value: w}, {uncomment: true}]
no_folder:
  file.keyvalue: [{name: @R@/none/value}, {key: k}, {value: w}, {create_if_missing: true}]
folder:
  file.blockreplace: [{name: @R@/folder}, {content: x}]
into_itself:
  file.rename: [{name: @R@/folder/in}, {source: @R@/folder}]
