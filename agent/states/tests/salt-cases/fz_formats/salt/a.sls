
y1:
  file.serialize:
    - name: "@R@/y1"
    - dataset: 
        text: "a: b"
        num: 5
        fl: 2.5
        yes_: true
        no_: null
        quoted: "yes"
        numtext: "012"
        empty: ""
        list: [1, two, [3, 4], {k: v}]
        nested: {z: 1, a: {deep: [x]}}
        elist: []
        edict: {}

y2:
  file.serialize:
    - name: "@R@/y2"
    - serializer: yaml
    - mode: "0600"
    - serializer_opts:
      - default_flow_style: true
    - dataset: {z: 1, a: [x, 2, true, null], "e f": "yes"}
y4:
  file.serialize:
    - name: "@R@/y4"
    - encoding: utf-8
    - dataset: 
        text: "a: b"
        num: 5
        fl: 2.5
        yes_: true
        no_: null
        quoted: "yes"
        numtext: "012"
        empty: ""
        list: [1, two, [3, 4], {k: v}]
        nested: {z: 1, a: {deep: [x]}}
        elist: []
        edict: {}

y5:
  file.serialize:
    - name: "@R@/y5"
    - dataset: [a, {b: 1, c: 2}, [x, y]]
y6:
  file.serialize:
    - name: "@R@/y6"
    - dataset: hello
j1:
  file.serialize:
    - name: "@R@/j1"
    - serializer: json
    - dataset: 
        text: "a: b"
        multi: "l1\nl2\n"
        num: 5
        fl: 2.5
        yes_: true
        no_: null
        quoted: "yes"
        numtext: "012"
        empty: ""
        list: [1, two, [3, 4], {k: v}]
        nested: {z: 1, a: {deep: [x]}}
        elist: []
        edict: {}
        uni: "é"
        long: "word word word word word word word word word word word word word word word word word word word word word"

j2:
  file.serialize:
    - name: "@R@/j2"
    - formatter: JSON
    - encoding: utf-8
    - serializer_opts:
      - indent: 4
      - sort_keys: false
    - dataset: 
        text: "a: b"
        multi: "l1\nl2\n"
        num: 5
        fl: 2.5
        yes_: true
        no_: null
        quoted: "yes"
        numtext: "012"
        empty: ""
        list: [1, two, [3, 4], {k: v}]
        nested: {z: 1, a: {deep: [x]}}
        elist: []
        edict: {}
        uni: "é"
        long: "word word word word word word word word word word word word word word word word word word word word word"

j3:
  file.serialize:
    - name: "@R@/j3"
    - serializer: json
    - serializer_opts:
      - indent: null
      - separators: [",", ":"]
    - dataset: 
        text: "a: b"
        multi: "l1\nl2\n"
        num: 5
        fl: 2.5
        yes_: true
        no_: null
        quoted: "yes"
        numtext: "012"
        empty: ""
        list: [1, two, [3, 4], {k: v}]
        nested: {z: 1, a: {deep: [x]}}
        elist: []
        edict: {}
        uni: "é"
        long: "word word word word word word word word word word word word word word word word word word word word word"

c1:
  file.serialize:
    - name: "@R@/c1"
    - serializer: configparser
    - dataset:
        DEFAULT: {top: 1}
        Sec: {Key: v, b: true, m: "a\nb"}
        empty: {}
e1:
  file.serialize:
    - name: "@R@/e1"
    - serializer: json
    - formatter: yaml
    - dataset: {a: 1}
e2:
  file.serialize:
    - name: "@R@/e2"
    - serializer: json
e4:
  file.serialize:
    - name: "@R@/e4"
    - serializer: json
    - dataset: {a: 1}
    - dataset_pillar: p
e5:
  file.serialize:
    - name: "@R@/e5"
    - create: false
    - dataset: {a: 1}
e6:
  file.serialize:
    - name: "@R@/no/e6"
    - dataset: {a: 1}
e7:
  file.serialize:
    - name: "@R@/yes/e7"
    - makedirs: true
    - dataset: {a: 1}
