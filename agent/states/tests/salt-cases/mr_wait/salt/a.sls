
file:
  file.managed:
    - name: "@R@/f"
    - contents: x
waits:
  module.wait:
    - name: test.echo
    - text: seen
    - watch:
      - file: file
waits_new:
  module.wait:
    - test.echo:
      - text: seen too
    - watch:
      - file: file
unwatched:
  module.wait:
    - name: test.ping
watches:
  module.run:
    - name: test.ping
    - watch:
      - file: file
by_change:
  module.run:
    - test.echo: [changed]
    - onchanges:
      - file: file
required:
  module.run:
    - test.echo: [r]
    - require:
      - file: file
