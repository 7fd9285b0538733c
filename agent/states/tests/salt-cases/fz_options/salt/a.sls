
layout:
  file.serialize:
    - name: @R@/layout.yaml
    - dataset: {a: [1, {b: [x, y]}], c: {d: e}, long: some words that are long enough to be folded at a certain column}
    - serializer_opts: [{indent: 4}, {width: 40}]
start:
  file.serialize:
    - name: @R@/start.yaml
    - dataset: {b: 1, a: [x]}
    - serializer_opts: [{explicit_start: true}, {explicit_end: true}, {sort_keys: false}]
start_flow:
  file.serialize:
    - name: @R@/flow.yaml
    - dataset: {b: 1, a: [x]}
    - serializer_opts: [{explicit_start: true}, {default_flow_style: true}, {indent: 1}, {width: 3}]
start_text:
  file.serialize:
    - name: @R@/text.yaml
    - dataset: words
    - serializer_opts: [{explicit_start: true}]
no_list:
  file.serialize:
    - name: @R@/no_list.yaml
    - dataset: {b: 1, a: [x]}
    - serializer_opts: {sort_keys: false}
lists:
  file.serialize: [{name: @R@/list.json}, {dataset: [2]}, {serializer: json}, {merge_if_exists: true}]
mixed_keys:
  file.serialize: [{name: @R@/mixed.json}, {dataset: {on: 1, off: {key: 1}, text: 2}}, {serializer: json}]
refused:
  file.serialize: [{name: @R@/refused.json}, {dataset: {a: 1}}, {serializer: json}, {check_cmd: grep -q b}]
reader:
  file.serialize:
    - name: @R@/old.yaml
    - dataset: {a: 1}
    - merge_if_exists: true
    - deserializer_opts: [{encoding: latin-1}]
reader_unasked:
  file.serialize:
    - name: @R@/new.yaml
    - dataset: {a: 1}
    - deserializer_opts: [{encoding: latin-1}]
