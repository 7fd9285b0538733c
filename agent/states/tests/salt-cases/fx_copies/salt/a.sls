digest:
  archive.extracted:
    - name: "@R@/o1"
    - source: salt://p.tar
    - source_hash: md5=00000000000000000000000000000000
after_digest:
  test.nop:
    - require:
      - archive: digest
file_of_digests:
  archive.extracted:
    - name: "@R@/o2"
    - source: salt://q.tar
    - source_hash: salt://sums
unverified:
  archive.extracted:
    - name: "@R@/o3"
    - source: salt://p.tar
    - source_hash: md5=00000000000000000000000000000000
    - skip_verify: true
right:
  archive.extracted:
    - name: "@R@/o4"
    - source: salt://p.tar
    - source_hash: sha256=23556bc4792a6f5555a68b10a66dc906f72fa9e741066c72b73eb7c2b551a88a
unhashed:
  archive.extracted:
    - name: "@R@/o5"
    - source: http://127.0.0.1:9/p.tar
