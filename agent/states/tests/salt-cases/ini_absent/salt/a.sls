keys:
  ini.options_absent:
    - name: @R@/app.ini
    - sections:
        first:
          - a
          - b
          - nosuch
        nosection:
          - z
        second:
          - d
again:
  ini.options_absent:
    - name: @R@/app.ini
    - sections:
        first:
          - a
in a map:
  ini.options_absent:
    - name: @R@/app.ini
    - sections:
        first:
          c: ~
top:
  ini.options_absent:
    - name: @R@/app.ini
    - sections:
        top: ~
        nosuch: x
top in a list:
  ini.options_absent:
    - name: @R@/app.ini
    - sections:
        - top
        - other
top by letters:
  ini.options_absent:
    - name: @R@/app.ini
    - sections:
        multi: multi
top as a list:
  ini.options_absent:
    - name: @R@/app.ini
    - sections:
        "":
          - multi
no sections:
  ini.options_absent:
    - name: @R@/app.ini
no file:
  ini.options_absent:
    - name: @R@/none.ini
    - sections:
        first:
          - a
of an option:
  ini.options_absent:
    - name: @R@/app.ini
    - sections:
        other:
          - a
