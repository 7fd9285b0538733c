s1:
  file.append:
    - name: "@R@/f1"
    - text: ['a  b','c']
s2:
  file.append:
    - name: "@R@/f2"
    - text: 'l4  foo'
s3:
  file.append:
    - name: "@R@/f3"
    - text: 'l4  foo'
    - ignore_whitespace: false
s4:
  file.append:
    - name: "@R@/f4"
    - text: 'x.y'
    - ignore_whitespace: false
s5:
  file.append:
    - name: "@R@/f5"
    - text: ["it's", 'new']
s6:
  file.append:
    - name: "@R@/f6"
    - text: "one\ntwo\n\nfour"
s7:
  file.append:
    - name: "@R@/f7"
    - text: 's'
    - show_changes: false
s8:
  file.append:
    - name: "@R@/f8"
    - text: [1, true, 2.5]
s9:
  file.append:
    - name: "@R@/f9"
    - source: salt://src.j2
    - context: {x: 5}
s10:
  file.append:
    - name: "@R@/f10"
    - sources: ['salt://src.j2','salt://plain']
    - defaults: {x: 6}
s11:
  file.append:
    - name: "@R@/f11"
    - text: none
s12:
  file.append:
    - name: "@R@/f12"
    - text: 'a "b c"'
s13:
  file.append:
    - name: "@R@/f13"
    - text: ''
n1:
  file.append:
    - name: "@R@/made"
    - text: x
n2:
  file.append:
    - name: "@R@/d/e/made"
    - text: x
n3:
  file.append:
    - name: "@R@/d/f/made"
    - text: x
    - makedirs: true
n4:
  file.append:
    - name: "rel"
    - text: x
