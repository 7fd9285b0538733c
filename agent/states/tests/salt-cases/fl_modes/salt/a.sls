s1:
  file.line:
    - name: "@R@/f1"
    - content: 'new'
    - mode: ensure
    - after: '^key'
s2:
  file.line:
    - name: "@R@/f2"
    - content: 'new'
    - mode: ensure
    - before: '^key'
s3:
  file.line:
    - name: "@R@/f3"
    - content: 'new'
    - mode: ensure
    - after: '^l1'
    - before: '^#cmt'
s4:
  file.line:
    - name: "@R@/f4"
    - content: 'new'
    - mode: ensure
    - after: '^l1'
    - before: '^l5'
s5:
  file.line:
    - name: "@R@/f5"
    - content: 'new'
    - mode: insert
    - location: start
s6:
  file.line:
    - name: "@R@/f6"
    - content: 'new'
    - mode: insert
    - after: '^l4'
s7:
  file.line:
    - name: "@R@/f7"
    - content: 'new'
    - mode: insert
    - before: '^l1'
s8:
  file.line:
    - name: "@R@/f8"
    - content: 'new'
    - mode: insert
    - before: 'foo'
s9:
  file.line:
    - name: "@R@/f9"
    - mode: delete
    - match: '^l4'
s10:
  file.line:
    - name: "@R@/f10"
    - content: 'l5 foo'
    - mode: delete
s11:
  file.line:
    - name: "@R@/f11"
    - content: '  x'
    - mode: replace
    - match: 'l4'
s12:
  file.line:
    - name: "@R@/f12"
    - content: 'x'
    - mode: replace
    - match: 'l4'
    - indent: false
    - show_changes: false
s13:
  file.line:
    - name: "@R@/f13"
    - content: 'x'
    - mode: replace
    - match: 'nothing'
s14:
  file.line:
    - name: "@R@/f14"
    - content: 'x'
s15:
  file.line:
    - name: "@R@/f15"
    - mode: replace
    - match: 'l4'
s16:
  file.line:
    - name: "@R@/f16"
    - content: 'new'
    - mode: ensure
    - after: '^nope'
s17:
  file.line:
    - name: "@R@/f17"
    - content: 'new'
    - mode: insert
s18:
  file.line:
    - name: "@R@/f18"
    - content: 'key=a'
    - mode: ensure
    - after: '^l1'
n1:
  file.line:
    - name: "@R@/none"
    - content: x
    - mode: ensure
    - after: a
n2:
  file.line:
    - name: "@R@/made"
    - content: x
    - mode: insert
    - location: end
    - create: true
    - file_mode: '0640'
n3:
  file.line:
    - name: "@R@/empty"
    - content: x
    - mode: insert
    - location: start
n4:
  file.line:
    - name: "@R@/empty2"
    - content: x
    - mode: replace
    - match: y
n5:
  file.line:
    - name: "@R@/nonl"
    - content: x
    - mode: insert
    - location: end
n6:
  file.line:
    - name: "@R@/nonl2"
    - content: x
    - mode: ensure
    - after: b
