one:
  file.managed:
    - name: @R@/one
    - source: salt://one.txt
    - template: jinja
two:
  file.managed:
    - name: @R@/two
    - source: salt://two.txt
    - template: jinja
