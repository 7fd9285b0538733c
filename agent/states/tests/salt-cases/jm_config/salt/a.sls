
"@R@/out":
  file.managed:
    - source: salt://t.j2
    - template: jinja
    - context: {where: ctx}
