cleaned:
  file.directory:
    - name: "@R@/d"
    - clean: True
    - require:
      - file: copied
      - file: folder
copied:
  file.recurse:
    - name: "@R@/d/copied"
    - source: salt://t
folder:
  file.directory:
    - name: "@R@/d/folder"
through_links:
  file.directory:
    - name: "@R@/l"
    - mode: '0750'
    - file_mode: '0640'
    - recurse: [mode]
    - follow_symlinks: True
only_folders:
  file.directory:
    - name: "@R@/o"
    - user: daemon
    - recurse: [user, ignore_files]
only_files:
  file.directory:
    - name: "@R@/p"
    - user: daemon
    - recurse: [user, ignore_dirs]
