
d1:
  file.directory:
    - name: "@R@/d1"
d2:
  file.directory:
    - name: "@R@/x/y/d2"
d3:
  file.directory:
    - name: "@R@/x2/y/d3"
    - makedirs: true
    - mode: "0700"
d4:
  file.directory:
    - name: "@R@/d4"
    - dir_mode: "0750"
    - file_mode: "0640"
    - user: daemon
    - group: games
    - recurse: [user, group, mode]
d5:
  file.directory:
    - name: "@R@/d5"
    - mode: "0711"
    - recurse: [mode, ignore_files]
d6:
  file.directory:
    - name: "@R@/d6"
    - mode: "0711"
    - file_mode: "0600"
    - recurse: [mode, ignore_dirs]
d7:
  file.directory:
    - name: "@R@/d7"
    - mode: "0711"
    - recurse: [mode]
    - max_depth: 1
d8:
  file.directory:
    - name: "@R@/d8"
    - mode: "0711"
    - recurse: [mode, silent]
d9:
  file.directory:
    - name: "@R@/d9"
    - user: daemon
    - children_only: true
    - recurse: [user]
d10:
  file.directory:
    - name: "@R@/d10"
    - clean: true
    - exclude_pat: "*.keep"
    - require:
      - file: d10f
d10f:
  file.managed:
    - name: "@R@/d10/sub/managed"
    - contents: x
    - makedirs: true
d11:
  file.directory:
    - name: "@R@/d11"
    - clean: true
    - exclude_pat: 'E@^k'
d12:
  file.directory:
    - name: "@R@/f12"
    - force: true
d13:
  file.directory:
    - name: "@R@/f13"
    - backupname: "@R@/f13.bak"
d14:
  file.directory:
    - name: "@R@/l14"
d15:
  file.directory:
    - name: "@R@/l15"
    - allow_symlink: false
d16:
  file.directory:
    - name: "@R@/l16"
    - allow_symlink: false
    - force: true
d17:
  file.directory:
    - name: "@R@/d17"
    - user: nosuch
d18:
  file.directory:
    - name: "@R@/d18"
    - recurse: [user]
d19:
  file.directory:
    - name: "@R@/d19"
    - recurse: [bad]
d20:
  file.directory:
    - name: "@R@/d20"
    - recurse: [mode, ignore_files, ignore_dirs]
d21:
  file.directory:
    - name: "@R@/d21"
    - mode: "2755"
d22:
  file.directory:
    - name: rel
d23:
  file.directory:
    - name: "@R@/d23"
    - clean: true
    - max_depth: 2
d24:
  file.directory:
    - names:
      - "@R@/n1"
      - "@R@/n2"
    - mode: 755
