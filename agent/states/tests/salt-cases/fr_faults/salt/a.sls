# One file that cannot be rendered: the others are made.
bad:
  file.recurse:
    - name: "@R@/bad"
    - source: salt://t
    - template: jinja
# A file where a folder belongs goes, with clean.
kinds:
  file.recurse:
    - name: "@R@/d"
    - source: salt://t
    - clean: true
kinds-kept:
  file.recurse:
    - name: "@R@/e"
    - source: salt://t
    - include_pat: [a, 'sub/*']
backed:
  file.recurse:
    - name: "@R@/d"
    - source: salt://t
    - include_pat: 'E@a$'
    - replace: false
    - file_mode: 600
