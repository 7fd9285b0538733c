s1:
  file.blockreplace:
    - name: "@R@/f1"
    - marker_start: '#-- start'
    - marker_end: '#-- end'
    - content: 'n'
s2:
  file.blockreplace:
    - name: "@R@/f2"
    - marker_start: '#-- start'
    - marker_end: '#-- end'
    - content: "n1\nn2\n"
s3:
  file.blockreplace:
    - name: "@R@/f3"
    - marker_start: '#-- start'
    - marker_end: '#-- end'
    - content: 'n'
    - append_newline: false
s4:
  file.blockreplace:
    - name: "@R@/f4"
    - marker_start: '#-- start'
    - marker_end: '#-- end'
    - content: "n\n"
    - append_newline: true
s5:
  file.blockreplace:
    - name: "@R@/f5"
    - marker_start: '#-- start'
    - marker_end: '#-- end'
    - content: ''
s6:
  file.blockreplace:
    - name: "@R@/f6"
    - marker_start: '#-- start'
    - marker_end: '#-- end'
    - content: 'n'
    - show_changes: false
    - backup: false
s7:
  file.blockreplace:
    - name: "@R@/f7"
    - marker_start: '#-- start'
    - marker_end: '#-- end'
    - content: 'n'
s8:
  file.blockreplace:
    - name: "@R@/f8"
    - marker_start: '#-- start'
    - marker_end: '#-- end'
    - content: 'n'
    - prepend_if_not_found: true
s9:
  file.blockreplace:
    - name: "@R@/f9"
    - marker_start: '#-- start'
    - marker_end: '#-- end'
    - content: 'n'
    - insert_before_match: '^b'
s10:
  file.blockreplace:
    - name: "@R@/f10"
    - marker_start: '#-- start'
    - marker_end: '#-- end'
    - content: "n\nm"
    - insert_after_match: '^a'
s11:
  file.blockreplace:
    - name: "@R@/f11"
    - marker_start: '#-- start'
    - marker_end: '#-- end'
    - content: 'n'
    - insert_after_match: '^zzz'
s12:
  file.blockreplace:
    - name: "@R@/f12"
    - marker_start: '#-- start'
    - marker_end: '#-- end'
    - content: 'n'
    - append_if_not_found: true
    - prepend_if_not_found: true
s13:
  file.blockreplace:
    - name: "@R@/f13"
    - marker_start: '#-- start'
    - marker_end: '#-- end'
    - content: 'n'
    - append_if_not_found: true
s14:
  file.blockreplace:
    - name: "@R@/f14"
    - content: 'n'
    - append_if_not_found: true
    - backup: '.orig'
s15:
  file.blockreplace:
    - name: "@R@/f15"
    - marker_start: '#-- start'
    - marker_end: '#-- end'
    - source: salt://src.j2
    - context: {x: 5}
s16:
  file.blockreplace:
    - name: "@R@/f16"
    - marker_start: '#-- start'
    - marker_end: '#-- end'
    - content: 'n'
n1:
  file.blockreplace:
    - name: "@R@/none"
    - content: x
n2:
  file.blockreplace:
    - name: "@R@/tail"
    - marker_start: '#-- start'
    - marker_end: '#-- end'
    - content: x
n3:
  file.blockreplace:
    - name: "@R@/two"
    - marker_start: '#-- start'
    - marker_end: '#-- end'
    - content: x
