on_folder:
  file.symlink: [{name: '@R@/folder'}, {target: t}, {atomic: true}, {force: true}]
on_file:
  file.symlink: [{name: '@R@/file'}, {target: t}, {atomic: true}, {force: true}]
not_atomic:
  file.symlink: [{name: '@R@/other'}, {target: t}, {force: true}]
