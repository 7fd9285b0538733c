strict:
  ini.options_present:
    - name: @R@/app.ini
    - strict: True
    - sections:
        top: 1
        first:
          a: 1
          n: new
        third:
          d: 5
new:
  ini.options_present:
    - name: @R@/new.ini
    - strict: True
    - sections:
        s:
          a: 1
