utf16:
  file.managed:
    - name: "@R@/utf16"
    - contents: new
    - encoding: utf-16
ascii:
  file.managed:
    - name: "@R@/ascii"
    - contents: é
    - encoding: ascii
ascii_ignored:
  file.managed:
    - name: "@R@/ignored"
    - contents: né
    - encoding: ascii
    - encoding_errors: ignore
no_sources:
  file.managed:
    - name: "@R@/no_sources"
    - source: []
no_sources_there:
  file.managed:
    - name: "@R@/there"
    - source: []
empty_source:
  file.managed:
    - name: "@R@/empty_source"
    - source: ''
    - contents: x
below_a_file:
  file.managed:
    - name: "@R@/there/below"
    - contents: x
    - makedirs: True
