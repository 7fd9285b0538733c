touched only:
  ini.options_present:
    - name: @R@/a.ini
    - sections:
        s:
          z: 1
more:
  ini.options_present:
    - name: @R@/b.ini
    - sections:
        s:
          h: 5
          d: 6
          lines: |
            one
              two
            three
        " u ":
          h: 7
        a:
          url: gone
          nested:
            deep: 1
        new:
          nested:
            deep: 1
lines again:
  ini.options_present:
    - name: @R@/b.ini
    - sections:
        s:
          lines: |
            one
              two
            three
strict:
  ini.options_present:
    - name: @R@/c.ini
    - strict: True
    - sections:
        " u ":
          f: '[g]'
          h: 9
        s:
          z: 1
          b: 2
          c: 3
long:
  ini.options_present:
    - name: @R@/long.ini
    - separator: '::'
    - sections:
        s:
          b: 3
          c: 4
error:
  ini.options_present:
    - name: @R@/error.ini
    - sections:
        error:
          a: 2
error in a section:
  ini.options_present:
    - name: @R@/error.ini
    - sections:
        x:
          error: 3
error unchanged:
  ini.options_present:
    - name: @R@/error.ini
    - sections:
        error:
          a: 2
twice:
  ini.options_present:
    - name: @R@/twice.ini
    - sections:
        a: 7
        s:
          a: 8
dict:
  ini.options_absent:
    - name: @R@/dict.ini
    - sections:
        s:
          a: x
          b: y
a list:
  ini.options_present:
    - name: @R@/dict.ini
    - sections:
        - s:
            a: b
a text:
  ini.sections_absent:
    - name: @R@/dict.ini
    - sections: xs
strict over an option:
  ini.options_present:
    - name: @R@/twice.ini
    - strict: True
    - sections:
        a:
          b: 1
lines:
  ini.options_present:
    - name: @R@/lines.ini
    - sections:
        b: 3
        empty: ''
        d: e
relative:
  ini.options_absent:
    - name: @R@/c.ini
    - sections:
        s: z
a section above:
  ini.options_absent:
    - name: @R@/b.ini
    - sections:
        nosuch:
          - new
a number:
  ini.options_absent:
    - name: @R@/b.ini
    - sections:
        new: 5
