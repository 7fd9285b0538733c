
m1:
  file.serialize:
    - name: "@R@/m1"
    - serializer: json
    - merge_if_exists: true
    - dataset: {a: {b: 2, n: 1}, l: [3], new: x}
m2:
  file.serialize:
    - name: "@R@/m2"
    - merge_if_exists: true
    - dataset: {a: {b: 2}, o: 1}
m3:
  file.serialize:
    - name: "@R@/m3"
    - serializer: configparser
    - merge_if_exists: true
    - dataset: {one: {k: v2}, two: {x: 1}}
m4:
  file.serialize:
    - name: "@R@/m4"
    - serializer: json
    - merge_if_exists: true
    - dataset: {a: 1}
m5:
  file.serialize:
    - name: "@R@/m5"
    - serializer: json
    - merge_if_exists: true
    - dataset: {a: 1}
m6:
  file.serialize:
    - name: "@R@/m6"
    - serializer: json
    - show_changes: false
    - dataset: {a: 2}
m7:
  file.serialize:
    - name: "@R@/m7"
    - serializer: yaml
    - dataset_pillar: deep:x
m9:
  file.serialize:
    - name: "@R@/m9"
    - serializer: json
    - check_cmd: grep -q zzz
    - dataset: {a: 2}
m10:
  file.serialize:
    - name: "@R@/m10"
    - serializer: json
    - merge_if_exists: true
    - mode: "0600"
    - dataset: {a: 1}
