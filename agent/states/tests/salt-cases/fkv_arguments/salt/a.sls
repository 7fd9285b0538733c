s1:
  file.keyvalue:
    - name: "@R@/f1"
    - key: 'key'
    - value: 'b'
s2:
  file.keyvalue:
    - name: "@R@/f2"
    - key_values: {key: 'b', new: 1, cmt: true}
    - append_if_not_found: true
s3:
  file.keyvalue:
    - name: "@R@/f3"
    - key_values: {zz: '1', yy: '2'}
    - prepend_if_not_found: true
s4:
  file.keyvalue:
    - name: "@R@/f4"
    - key: 'KEY'
    - value: 'A'
    - key_ignore_case: true
s5:
  file.keyvalue:
    - name: "@R@/f5"
    - key: 'key'
    - value: 'A'
    - value_ignore_case: true
s6:
  file.keyvalue:
    - name: "@R@/f6"
    - key: 'key'
    - value: 'c'
    - show_changes: false
s7:
  file.keyvalue:
    - name: "@R@/f7"
    - key: 'key'
    - value: 'c'
    - count: -1
s8:
  file.keyvalue:
    - name: "@R@/f8"
    - key: 'key'
    - value: 'c'
    - count: 0
s9:
  file.keyvalue:
    - name: "@R@/f9"
    - key: 'cmt'
    - value: '1'
    - uncomment: '#'
s10:
  file.keyvalue:
    - name: "@R@/f10"
    - key_values: {key: 'z', l1: 'q'}
    - prune: true
    - append_if_not_found: true
s11:
  file.keyvalue:
    - name: "@R@/f11"
    - key: 'PermitRootLogin'
    - value: 'no'
    - separator: ' '
    - uncomment: '# '
s12:
  file.keyvalue:
    - name: "@R@/f12"
    - key: 'missing'
    - value: 'x'
s13:
  file.keyvalue:
    - name: "@R@/f13"
    - key_values: {}
s14:
  file.keyvalue:
    - name: "@R@/f14"
    - key_values: [a]
n1:
  file.keyvalue:
    - name: "@R@/none"
    - key: a
    - value: 'b'
n2:
  file.keyvalue:
    - name: "@R@/none"
    - key: a
    - value: 'b'
    - ignore_if_missing: true
n3:
  file.keyvalue:
    - name: "@R@/made"
    - key_values: {a: 'b', c: 2.5}
    - create_if_missing: true
