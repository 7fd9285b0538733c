m1:
  file.replace:
    - name: "@R@/none"
    - pattern: a
    - repl: b
m2:
  file.replace:
    - name: "@R@/none"
    - pattern: a
    - repl: b
    - ignore_if_missing: true
m3:
  file.replace:
    - name: "relative"
    - pattern: a
    - repl: b
nonl:
  file.replace:
    - name: "@R@/nonl"
    - pattern: '^q=.*'
    - repl: 'q=1'
    - append_if_not_found: true
    - not_found_content: "# q\nq=2"
empty:
  file.replace:
    - name: "@R@/empty"
    - pattern: '^q=.*'
    - repl: 'q=1'
    - append_if_not_found: true
pre:
  file.replace:
    - name: "@R@/pre"
    - pattern: '^q=.*'
    - repl: 'q=1'
    - prepend_if_not_found: true
crlf:
  file.replace:
    - name: "@R@/crlf"
    - pattern: 'b'
    - repl: 'B'
utf8:
  file.replace:
    - name: "@R@/utf8"
    - pattern: 'é+'
    - repl: 'E'
enc:
  file.replace:
    - name: "@R@/enc"
    - pattern: '\w+$'
    - repl: 'ü'
    - encoding: utf-8
mode:
  file.replace:
    - name: "@R@/mode"
    - pattern: 'a'
    - repl: 'b'
