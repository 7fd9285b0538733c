s1:
  file.prepend:
    - name: "@R@/f1"
    - text: ['a  b','c']
s2:
  file.prepend:
    - name: "@R@/f2"
    - text: 'l4  foo'
s3:
  file.prepend:
    - name: "@R@/f3"
    - text: ['l1','key=a']
    - header: true
s4:
  file.prepend:
    - name: "@R@/f4"
    - text: ['key=a','l1']
    - header: true
s5:
  file.prepend:
    - name: "@R@/f5"
    - text: 's'
    - show_changes: false
s6:
  file.prepend:
    - name: "@R@/f6"
    - source: salt://src.j2
    - context: {x: 5}
s7:
  file.prepend:
    - name: "@R@/f7"
    - text: "one\ntwo"
n1:
  file.prepend:
    - name: "@R@/made"
    - text: x
n3:
  file.prepend:
    - name: "@R@/d/f/made"
    - text: x
    - makedirs: true
n5:
  file.prepend:
    - name: "@R@/empty"
    - text: x
    - header: true
