s1:
  file.replace:
    - name: "@R@/f1"
    - pattern: '^zz=.*'
    - repl: 'zz=1'
    - append_if_not_found: true
s2:
  file.replace:
    - name: "@R@/f2"
    - pattern: '(l4|l5) (foo)'
    - repl: '\2-\1'
s3:
  file.replace:
    - name: "@R@/f3"
    - pattern: 'FOO$'
    - repl: 'bar'
    - flags: ['IGNORECASE','MULTILINE']
    - backup: false
s4:
  file.replace:
    - name: "@R@/f4"
    - pattern: 'foo'
    - repl: 'a\nb'
    - backslash_literal: true
s5:
  file.replace:
    - name: "@R@/f5"
    - pattern: 'l4.*foo'
    - repl: 'X'
    - flags: ['DOTALL']
s6:
  file.replace:
    - name: "@R@/f6"
    - pattern: 'foo'
    - repl: 'x'
    - show_changes: false
    - backup: '.orig'
s7:
  file.replace:
    - name: "@R@/f7"
    - pattern: '(?<=key=)a'
    - repl: 'new'
s8:
  file.replace:
    - name: "@R@/f8"
    - pattern: '(\w)\1'
    - repl: '<\g<1>>'
s9:
  file.replace:
    - name: "@R@/f9"
    - pattern: 'nothing'
    - repl: 'key=a'
    - append_if_not_found: true
s10:
  file.replace:
    - name: "@R@/f10"
    - pattern: 'foo'
    - repl: 'foo'
s11:
  file.replace:
    - name: "@R@/f11"
    - pattern: '^'
    - repl: '> '
s12:
  file.replace:
    - name: "@R@/f12"
    - pattern: 'x*'
    - repl: '-'
    - count: 3
s13:
  file.replace:
    - name: "@R@/f13"
    - pattern: 'l1'
    - repl: 5
