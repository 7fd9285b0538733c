
bad:
  archive.extracted:
    - name: @R@/bad
    - source: salt://a.tar.gz
    - source_hash: aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa
    - enforce_toplevel: false
    - skip_verify: true
none:
  archive.extracted:
    - name: @R@/none
    - source: salt://a.tar.gz
    - source_hash: 0
    - enforce_toplevel: false
