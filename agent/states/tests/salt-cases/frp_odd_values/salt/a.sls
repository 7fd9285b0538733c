fewer_than_none:
  file.replace:
    - name: "@R@/one"
    - pattern: foo
    - repl: bar
    - count: -1
fewer_than_none_added:
  file.replace:
    - name: "@R@/two"
    - pattern: foo
    - repl: bar
    - count: -1
    - append_if_not_found: True
number:
  file.replace:
    - name: "@R@/three"
    - pattern: 5
    - repl: bar
nothing_to_add:
  file.replace:
    - name: "@R@/three"
    - pattern: none
    - repl: bar
    - append_if_not_found: True
    - not_found_content: ''
of_an_empty_file:
  file.replace:
    - name: "@R@/empty"
    - pattern: $
    - repl: bar
