file:
  file.cached:
    - name: "@R@/f"
file-url:
  file.cached:
    - name: "file://@R@/f"
hash:
  file.cached:
    - name: "@R@/f"
    - source_hash: c6006557cc52f5ddab8cb3cf6e69feec1cce3350c8d4628cc240872ad13c3c97
hash-md5:
  file.cached:
    - name: "@R@/f"
    - source_hash: md5=bc98d84673286ce1447eca1766f28504
wrong-hash:
  file.cached:
    - name: "@R@/f"
    - source_hash: 235df3f729dfa7eee6f91767d045b96b6d3aa3c283a184cc389dba4696de14e0
wrong-hash-let-be:
  file.cached:
    - name: "@R@/f"
    - source_hash: 235df3f729dfa7eee6f91767d045b96b6d3aa3c283a184cc389dba4696de14e0
    - skip_verify: true
no-hash:
  file.cached:
    - name: "@R@/f"
    - source_hash: xyz
missing:
  file.cached:
    - name: "@R@/none"
tree-missing:
  file.cached:
    - name: salt://none
remote:
  file.cached:
    - name: http://127.0.0.1:1/x
not-local:
  file.not_cached:
    - name: "@R@/f"
not-url:
  file.not_cached:
    - name: "file://@R@/f"
not-there:
  file.not_cached:
    - name: salt://none
