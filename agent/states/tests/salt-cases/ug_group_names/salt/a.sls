space:
  group.present:
    - name: Bad Group
colon:
  group.present:
    - name: a:b
comma:
  group.present:
    - name: a,b
plus:
  group.present:
    - name: +a
long:
  group.present:
    - name: abcdefghijabcdefghijabcdefghijabcd
fine:
  group.present:
    - name: A.b@c
