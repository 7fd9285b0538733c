
e1:
  file.managed:
    - name: "@R@/e1"
    - source: salt://a.txt
e2:
  file.managed:
    - name: "@R@/e2"
    - source: salt://a.txt
    - mode: "0600"
    - user: daemon
e3:
  file.managed:
    - name: "@R@/e3"
    - contents: new
    - show_changes: false
e4:
  file.managed:
    - name: "@R@/e4"
    - contents: keep
    - mode: "0600"
e5:
  file.managed:
    - name: "@R@/e5"
    - source: salt://bin.dat
e6:
  file.managed:
    - name: "@R@/e6"
    - contents: text now
e7:
  file.managed:
    - name: "@R@/e7"
    - mode: "0600"
e8:
  file.managed:
    - name: "@R@/e8"
    - contents: x
    - replace: false
    - mode: "0600"
e9:
  file.managed:
    - name: "@R@/e9"
    - source: salt://none
    - replace: false
e10:
  file.managed:
    - name: "@R@/e10"
    - contents: x
    - create: false
e11:
  file.managed:
    - name: "@R@/e11"
    - contents: x
    - check_cmd: /bin/false
e12:
  file.managed:
    - name: "@R@/e12"
    - source: salt://bin.dat
    - show_changes: false
e13:
  file.managed:
    - name: "@R@/link"
    - contents: via link
e14:
  file.managed:
    - name: "@R@/link2"
    - source: salt://a.txt
    - follow_symlinks: false
e15:
  file.managed:
    - name: "@R@/e15"
    - contents: |
        b
        a
    - ignore_ordering: true
e16:
  file.managed:
    - name: "@R@/e16"
    - contents: |
        a  b
    - ignore_whitespace: true
e17:
  file.managed:
    - name: "@R@/e17"
    - contents: |
        a
    - ignore_comment_characters: "#"
e18:
  file.managed:
    - name: "@R@/e18"
    - source: "@R@/hsrc"
    - source_hash: md5=d41d8cd98f00b204e9800998ecf8427e
e19:
  file.managed:
    - name: "@R@/e19"
    - source: "@R@/hsrc"
    - source_hash: "@R@/SUMS"
e20:
  file.managed:
    - name: "@R@/e20"
    - source: "@R@/hsrc"
    - source_hash: zzz
e21:
  file.managed:
    - name: "@R@/e21"
    - source: "@R@/hsrc"
    - source_hash: sha1=abc
e22:
  file.managed:
    - name: "@R@/e22"
    - source: "@R@/hsrc"
    - source_hash: salt://sums
    - source_hash_name: other
e23:
  file.managed:
    - name: "@R@/e23"
    - source: "@R@/hsrc"
    - source_hash: crc9=abcdef
e24:
  file.managed:
    - name: "@R@/e24"
    - source: salt://big.txt
e25:
  file.managed:
    - name: "@R@/e25"
    - contents: "x"
    - attrs: ""
e26:
  file.managed:
    - name: "@R@/e26"
    - user: 1
    - group: 60
    - contents: x
