none:
  file.recurse:
    - name: "@R@/none"
    - source: salt://t
    - include_pat: '*.none'
    - dir_mode: '0750'
