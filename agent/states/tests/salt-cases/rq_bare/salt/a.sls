a:
  test.nop:
    - require: [byid, byname]
    - require_in: [late, latename]
byid:
  test.nop
q:
  test.nop:
    - name: byname
late:
  test.nop
r:
  test.nop:
    - name: latename
