
c1:
  file.copy:
    - name: "@R@/c1"
    - source: "@R@/src"
c2:
  file.copy:
    - name: "@R@/c2"
    - source: "@R@/src"
    - force: true
c3:
  file.copy:
    - name: "@R@/c3"
    - source: "@R@/src"
    - mode: "0600"
    - user: daemon
    - group: games
c4:
  file.copy:
    - name: "@R@/n/o/c4"
    - source: "@R@/src"
c5:
  file.copy:
    - name: "@R@/n2/o/c5"
    - source: "@R@/src"
    - makedirs: true
c6:
  file.copy:
    - name: "@R@/c6"
    - source: "@R@/none"
c7:
  file.copy:
    - name: "@R@/c7"
    - source: "@R@/dir"
c8:
  file.copy:
    - name: "@R@/sub8"
    - source: "@R@/src"
    - subdir: true
c9:
  file.copy:
    - name: "@R@/c9"
    - source: "@R@/src"
    - preserve: true
c10:
  file.copy:
    - name: "@R@/c10"
    - source: "@R@/src"
    - user: nosuch
c11:
  file.copy:
    - name: rel
    - source: "@R@/src"
c12:
  file.copy:
    - name: "@R@/c12"
    - source: "@R@/src"
    - force: true
r1:
  file.rename:
    - name: "@R@/r1"
    - source: "@R@/m1"
r2:
  file.rename:
    - name: "@R@/r2"
    - source: "@R@/m2"
r3:
  file.rename:
    - name: "@R@/r3"
    - source: "@R@/m3"
    - force: true
r4:
  file.rename:
    - name: "@R@/q/w/r4"
    - source: "@R@/m4"
r5:
  file.rename:
    - name: "@R@/q2/w/r5"
    - source: "@R@/m5"
    - makedirs: true
r6:
  file.rename:
    - name: "@R@/r6"
    - source: "@R@/mdir"
h1:
  file.hardlink:
    - name: "@R@/h1"
    - target: "@R@/hsrc"
h2:
  file.hardlink:
    - name: "@R@/h2"
    - target: "@R@/hsrc"
h3:
  file.hardlink:
    - name: "@R@/h3"
    - target: "@R@/hsrc"
    - force: true
h4:
  file.hardlink:
    - name: "@R@/h4"
    - target: "@R@/none"
h5:
  file.hardlink:
    - name: "@R@/h5"
    - target: "@R@/dir"
h6:
  file.hardlink:
    - name: "@R@/k/h6"
    - target: "@R@/hsrc"
h7:
  file.hardlink:
    - name: "@R@/k2/h7"
    - target: "@R@/hsrc"
    - makedirs: true
    - dir_mode: "0700"
h8:
  file.hardlink:
    - name: rel
    - target: rel2
x1:
  file.exists:
    - name: "@R@/src"
x2:
  file.exists:
    - name: "@R@/none"
x3:
  file.missing:
    - name: "@R@/none"
t1:
  file.touch:
    - name: "@R@/touch/a/b"
    - makedirs: true
t2:
  file.touch:
    - name: "@R@/touch2/a/b"
t3:
  file.touch:
    - name: "@R@/src"
    - mtime: 1000
    - atime: 2000
t4:
  file.touch:
    - name: "@R@/dir"
t5:
  file.touch:
    - name: rel
p1:
  file.pruned:
    - name: "@R@/e1"
p2:
  file.pruned:
    - name: "@R@/e2"
p3:
  file.pruned:
    - name: "@R@/e3"
    - recurse: true
p4:
  file.pruned:
    - name: "@R@/e4"
    - ignore_errors: true
p5:
  file.pruned:
    - name: "@R@/none"
k2:
  file.mknod:
    - name: "@R@/src"
    - ntype: p
ti1:
  file.tidied:
    - name: "@R@/tidy"
    - matches: ['.*\.log$']
ti2:
  file.tidied:
    - name: "@R@/tidy2"
    - rmdirs: true
    - exclude: ['keep']
ti3:
  file.tidied:
    - name: "@R@/tidy3"
    - size: 5
    - age_size_only: size
ti4:
  file.tidied:
    - name: "@R@/tidy4"
    - age: 3
    - size: 1k
    - age_size_logical_operator: AND
ti5:
  file.tidied:
    - name: "@R@/none"
ti6:
  file.tidied:
    - name: rel
