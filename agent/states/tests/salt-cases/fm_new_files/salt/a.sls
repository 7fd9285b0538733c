
m1:
  file.managed:
    - name: "@R@/m1"
    - source:
      - salt://none
      - salt://b
      - salt://a.txt
m2:
  file.managed:
    - name: "@R@/m2"
    - source: salt://a.txt
    - mode: keep
m3:
  file.managed:
    - name: "@R@/m3"
    - source: salt://exec.sh
    - mode: keep
m4:
  file.managed:
    - name: "@R@/m4"
    - source: file://@R@/local
m5:
  file.managed:
    - name: "@R@/m5"
    - source: "@R@/local"
    - user: root
    - group: root
    - mode: 0640
m6:
  file.managed:
    - name: "@R@/m6"
    - source:
      - salt://none
      - "@R@/nope"
m7:
  file.managed:
    - name: "@R@/m7"
    - source: salt://t.j2
    - template: jinja
    - defaults: {a: 1, b: 2}
    - context: {b: 3}
m8:
  file.managed:
    - name: "@R@/m8"
    - contents: |
        v={{ "{{" }} x {{ "}}" }}
        n={{ "{{" }} grains.id {{ "}}" }}
    - template: jinja
    - context: {x: 5}
m9:
  file.managed:
    - name: "@R@/m9"
m10:
  file.managed:
    - name: "@R@/m10"
    - mode: "0600"
m11:
  file.managed:
    - name: "@R@/d1/d2/m11"
    - contents: x
    - makedirs: true
    - mode: "0640"
m12:
  file.managed:
    - name: "@R@/d3/d4/m12"
    - contents: x
    - makedirs: true
    - dir_mode: "0700"
m13:
  file.managed:
    - name: "@R@/nodir/m13"
    - contents: x
m14:
  file.managed:
    - name: "@R@/m14"
    - create: false
    - contents: x
m15:
  file.managed:
    - name: "@R@/m15"
    - contents: ""
m16:
  file.managed:
    - name: "@R@/m16"
    - contents: ""
    - allow_empty: false
m17:
  file.managed:
    - name: "@R@/m17"
    - contents_pillar: a:b
m18:
  file.managed:
    - name: "@R@/m18"
    - contents_pillar: a|b
    - contents_delimiter: "|"
m19:
  file.managed:
    - name: "@R@/m19"
    - contents_grains: kernel
m20:
  file.managed:
    - name: "@R@/m20"
    - contents: new
    - new_file_diff: true
m22:
  file.managed:
    - name: "@R@/m22"
    - contents: "é ü"
    - encoding: latin-1
m23:
  file.managed:
    - name: "@R@/m23"
    - contents: x
    - check_cmd: /bin/false
m24:
  file.managed:
    - name: "@R@/m24"
    - contents: x
    - check_cmd: grep -q x
    - tmp_ext: .conf
m25:
  file.managed:
    - name: "@R@/isdir"
    - contents: x
m26:
  file.managed:
    - name: "@R@/m26"
    - contents: x
    - user: nosuchuser
    - group: nosuchgroup
m27:
  file.managed:
    - name: "@R@/m27"
    - source: salt://a.txt
    - contents: x
m28:
  file.managed:
    - name: "@R@/m28"
    - contents_pillar: [a:b, a:c]
m29:
  file.managed:
    - name: "@R@/m29"
    - source: salt://a.txt
    - context: [1]
    - template: jinja
m30:
  file.managed:
    - name: "@R@/m30"
    - user: daemon
    - group: games
    - mode: "4755"
    - contents: x
m31:
  file.managed:
    - name: "@R@/m31"
    - contents: {a: 1, b: [x, true]}
m32:
  file.managed:
    - name: "@R@/m32"
    - contents: [a, 1, true, null, "x\ny"]
m33:
  file.managed:
    - name: "@R@/m33"
    - source: salt://bin.dat
m34:
  file.managed:
    - name: "@R@/m34"
    - source: salt://a.txt
    - replace: false
m35:
  file.managed:
    - name: "@R@/m35"
    - contents: true
m36:
  file.managed:
    - name: "@R@/m36"
    - contents: "a\r\nb\r\n"
m37:
  file.managed:
    - name: "@R@/m37"
    - contents: "\n\na\n\n"
m38:
  file.managed:
    - name: "@R@/m38"
    - source: salt://t.j2?saltenv=base
    - template: jinja
    - context: {a: x, b: y}
m39:
  file.managed:
    - name: "@R@/m39"
    - source: salt://sub/dir/f
m40:
  file.managed:
    - names:
      - "@R@/m40a"
      - "@R@/m40b":
        - contents: other
    - contents: same
m41:
  file.managed:
    - name: "@R@/m41"
    - contents_pillar: nope
    - contents_newline: false
m42:
  file.managed:
    - name: "@R@/m42"
    - contents_pillar: deflt
    - contents_newline: false
