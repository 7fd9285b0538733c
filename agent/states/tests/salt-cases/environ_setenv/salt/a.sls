one:
  environ.setenv:
    - name: MT_ONE
    - value: first
one_again:
  environ.setenv:
    - name: MT_ONE
    - value: first
    - require: [{environ: one}]
other:
  environ.setenv:
    - name: MT_ONE
    - value: second
    - require: [{environ: one_again}]
map:
  environ.setenv:
    - name: whatever
    - value:
        MT_A: a
        MT_B: b
map_again:
  environ.setenv:
    - name: whatever
    - value:
        MT_A: a
        MT_B: c
    - require: [{environ: map}]
'false':
  environ.setenv:
    - name: MT_A
    - value: False
    - require: [{environ: map_again}]
false_unset:
  environ.setenv:
    - name: MT_B
    - value: False
    - false_unsets: True
    - require: [{environ: map_again}]
false_unset_again:
  environ.setenv:
    - name: MT_B
    - value: False
    - false_unsets: True
    - require: [{environ: false_unset}]
map_false:
  environ.setenv:
    - name: whatever
    - value:
        MT_C: False
        MT_ONE: False
    - false_unsets: True
    - require: [{environ: other}]
number:
  environ.setenv:
    - name: MT_N
    - value: 3
list:
  environ.setenv:
    - name: MT_L
    - value: [1, 2]
empty:
  environ.setenv:
    - name: MT_E
    - value: ""
'true':
  environ.setenv:
    - name: MT_T
    - value: True
map_number:
  environ.setenv:
    - name: whatever
    - value: {MT_M: 3}
permanent_map:
  environ.setenv:
    - name: whatever
    - value: {MT_P: x, MT_Q: 1}
none:
  environ.setenv:
    - name: MT_NONE
    - value: null
seen:
  cmd.run:
    - name: echo "[$MT_ONE] [$MT_S] ${MT_E-unset}"
    - require: [{environ: shown}]
shown:
  environ.setenv:
    - name: MT_S
    - value: shown to commands
last:
  cmd.run:
    - name: echo "$MT_S"
    - env: [{MT_S: own}]
    - require: [{environ: shown}]
template:
  file.managed:
    - name: @R@/t
    - contents: "x"
    - onlyif: test "$MT_S" = "shown to commands"
    - require: [{environ: shown}]
