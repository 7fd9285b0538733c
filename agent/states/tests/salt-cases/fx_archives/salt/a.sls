
a1:
  archive.extracted:
    - name: "@R@/o1"
    - source: "@R@/p.tar"
a2:
  archive.extracted:
    - name: "@R@/o2/"
    - source: "@R@/p.tar.gz"
    - user: daemon
    - group: games
a3:
  archive.extracted:
    - name: "@R@/o3"
    - source: "@R@/p.tbz"
    - trim_output: 2
a4:
  archive.extracted:
    - name: "@R@/o4"
    - source: "@R@/p.tar.xz"
    - trim_output: true
a5:
  archive.extracted:
    - name: "@R@/o5"
    - source: "@R@/flat.tar"
a6:
  archive.extracted:
    - name: "@R@/o6"
    - source: "@R@/flat.tar"
    - enforce_toplevel: false
    - user: daemon
a7:
  archive.extracted:
    - name: "@R@/o7"
    - source: "@R@/p.tar"
    - options: --strip-components=1
    - enforce_toplevel: false
a8:
  archive.extracted:
    - name: "@R@/o8"
    - source: "@R@/p.tar"
    - options: z
a9:
  archive.extracted:
    - name: "@R@/o9"
    - source: "@R@/p.tar"
    - source_hash: sha256=58ffe0e9000f7af5a0bfd2badbda9f322b3eb00fbacccda84a43d60d0b033c14
a10:
  archive.extracted:
    - name: "@R@/o10"
    - source: "@R@/p.tar"
    - source_hash: d41d8cd98f00b204e9800998ecf8427e
a11:
  archive.extracted:
    - name: "@R@/o11"
    - source: "@R@/p.tar"
    - if_missing: "@R@/there"
a12:
  archive.extracted:
    - name: "@R@/o12"
    - source: "@R@/p.tar"
    - if_missing: "@R@/nothere"
a13:
  archive.extracted:
    - name: "@R@/o13"
    - source: "@R@/p.unknown"
a14:
  archive.extracted:
    - name: "@R@/o14"
    - source: "@R@/none.tar"
a15:
  archive.extracted:
    - name: "@R@/o15"
    - source: "@R@/broken.tar"
a16:
  archive.extracted:
    - name: "@R@/z1"
    - source: "@R@/p.zip"
a17:
  archive.extracted:
    - name: "@R@/z2"
    - source: "@R@/p.zip"
    - extract_perms: false
    - trim_output: 1
a18:
  archive.extracted:
    - name: "@R@/z3"
    - source: "@R@/p.data"
    - archive_format: zip
a19:
  archive.extracted:
    - name: "@R@/have"
    - source: "@R@/p.tar"
a21:
  archive.extracted:
    - name: "@R@/have3"
    - source: "@R@/p.tar"
    - clean: true
a22:
  archive.extracted:
    - name: "@R@/have4"
    - source: "@R@/p.tar"
    - clean_parent: true
a23:
  archive.extracted:
    - name: "@R@/have5"
    - source: "@R@/p.tar"
    - overwrite: true
a24:
  archive.extracted:
    - name: "@R@/isfile"
    - source: "@R@/p.tar"
a25:
  archive.extracted:
    - name: rel
    - source: "@R@/p.tar"
a26:
  archive.extracted:
    - name: "@R@/o26"
    - source: "@R@/p.tar"
    - user: nosuch
a27:
  archive.extracted:
    - name: "@R@/o27"
    - source: "@R@/dot.tar"
    - enforce_toplevel: false
a28:
  archive.extracted:
    - name: "@R@/o28"
    - source: salt://p.tar
a29:
  archive.extracted:
    - name: "@R@/o29"
    - source: "@R@/p.tar"
    - archive_format: cpio
