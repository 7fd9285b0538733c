plain:
  file.recurse:
    - name: "@R@/plain"
    - source: salt://t
    - exclude_pat: [gone]
links:
  file.recurse:
    - name: "@R@/links"
    - source: salt://t
    - keep_symlinks: true
in-the-way:
  file.recurse:
    - name: "@R@/full"
    - source: salt://t
    - keep_symlinks: true
forced:
  file.recurse:
    - name: "@R@/full"
    - source: salt://t
    - keep_symlinks: true
    - force_symlinks: true
    - clean: true
    - exclude_pat: 'E@^x'
empty:
  file.recurse:
    - name: "@R@/empty"
    - source: salt://t
    - include_empty: true
    - keep_symlinks: true
    - dir_mode: 750
    - file_mode: 640
merged:
  file.recurse:
    - name: "@R@/merged"
    - source: [salt://u, salt://t]
    - merge: true
    - keep_symlinks: true
merged-plain:
  file.recurse:
    - name: "@R@/merged2"
    - source: [salt://none, salt://u, salt://t]
    - merge: true
    - exclude_pat: [gone, ld/*]
first-only:
  file.recurse:
    - name: "@R@/first"
    - source: [salt://none, salt://u, salt://t]
relative:
  file.recurse:
    - name: "@R@/rel"
    - source: t
mode:
  file.recurse:
    - name: "@R@/mode"
    - source: salt://t
    - mode: 644
depth:
  file.recurse:
    - name: "@R@/depth"
    - source: salt://t
    - maxdepth: 0
    - keep_symlinks: true
    - include_empty: true
