g:
  file.managed:
    - name: @R@/g
    - source: salt://f
    - saltenv: dev
