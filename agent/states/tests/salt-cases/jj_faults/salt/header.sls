#jinja2: {"trim_blocks": true}
one:
  test.nop:
    - name: {{ nothing }}
