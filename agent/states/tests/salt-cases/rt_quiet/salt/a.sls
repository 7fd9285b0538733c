quiet:
  cmd.run:
    - name: echo out; echo err >&2
    - output_loglevel: quiet
hide:
  cmd.run:
    - name: echo out; exit 3
    - hide_output: true
both:
  cmd.run:
    - name: echo out
    - quiet: true
    - hide_output: true
secret:
  file.managed:
    - name: @R@/f
    - contents: new
    - show_changes: false
