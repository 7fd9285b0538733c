gone:
  ini.sections_absent:
    - name: @R@/app.ini
    - sections:
      - first
      - second
      - third
      - nosuch
gone as a map:
  ini.sections_absent:
    - name: @R@/app.ini
    - sections:
        fourth:
gone again:
  ini.sections_absent:
    - name: @R@/app.ini
    - sections:
      - first
a top option:
  ini.sections_absent:
    - name: @R@/app.ini
    - sections:
      - top
no sections:
  ini.sections_absent:
    - name: @R@/app.ini
no file to take from:
  ini.sections_absent:
    - name: @R@/none2.ini
    - sections:
      - first
no folder:
  ini.sections_absent:
    - name: @R@/none/none.ini
    - sections:
      - first
