false_unsets_unset:
  module.run:
    - environ.setval:
      - key: MT_A
      - val: false
      - false_unsets: true
    - test.echo:
      - text: after
false_empty:
  module.run:
    - environ.setval:
      - key: MT_A
      - val: false
set:
  module.run:
    - environ.setval:
      - key: MT_A
      - val: one
false_unsets_set:
  module.run:
    - environ.setval:
      - key: MT_A
      - val: false
      - false_unsets: true
again:
  module.run:
    - environ.setval:
      - key: MT_A
      - val: one
no_text:
  module.run:
    - environ.setval:
      - key: MT_A
      - val: 5
    - test.echo:
      - text: after
none:
  module.run:
    - environ.setval:
      - key: MT_A
      - val: null
same:
  module.run:
    - environ.setval:
      - key: MT_A
      - val: one
bad_key:
  module.run:
    - environ.setval:
      - key: A=B
      - val: one
nul:
  module.run:
    - environ.setval:
      - key: MT_A
      - val: "a\0b"
int_key:
  module.run:
    - environ.setval:
      - key: 5
      - val: one
env_all:
  module.run:
    - environ.setenv:
      - environ: {MT_A: false, MT_B: two}
env_again:
  module.run:
    - environ.setenv:
      - environ: {MT_A: false, MT_B: two}
env_unset:
  module.run:
    - environ.setenv:
      - environ: {MT_A: false, MT_B: two}
      - false_unsets: true
env_unset_again:
  module.run:
    - environ.setenv:
      - environ: {MT_A: false, MT_B: two}
      - false_unsets: true
env_no_text:
  module.run:
    - environ.setenv:
      - environ: {MT_C: 1, MT_B: two}
    - test.echo:
      - text: after
env_no_map:
  module.run:
    - environ.setenv:
      - environ: text
    - test.echo:
      - text: after
env_empty:
  module.run:
    - environ.setenv:
      - environ: {}
