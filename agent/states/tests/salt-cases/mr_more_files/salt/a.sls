send:
  module.run:
    - event.send:
      - tag: my/tag
      - data: {a: 1}
      - x: y
send_old:
  module.run:
    - name: event.send
    - tag: my/tag
    - data: {a: 1}
fire_old:
  module.run:
    - name: event.fire_master
    - tag: my/tag
    - data: {a: 1}
setval_env:
  module.run:
    - environ.setval: [FOO, bar]
setenv_env:
  module.run:
    - environ.setenv: [{environ: {FOO2: bar}}]
see:
  cmd.run:
    - name: echo $FOO $FOO2
gunzip:
  module.run:
    - name: archive.gunzip
    - gzipfile: @R@/g2.gz
get_dir:
  module.run:
    - name: cp.get_dir
    - path: salt://tree
    - dest: @R@/got
get_dir2:
  module.run:
    - cp.get_dir: [salt://tree/sub/, @R@/got2/]
get_url:
  module.run:
    - cp.get_url: [{path: salt://tree/f}, {dest: @R@/u}]
get_url_miss:
  module.run:
    - cp.get_url: [{path: salt://tree/nope}, {dest: @R@/u2}]
get_url_local:
  module.run:
    - cp.get_url: [{path: @R@/g}, {dest: @R@/u3}]
get_url_nodir:
  module.run:
    - cp.get_url: [{path: salt://tree/f}, {dest: @R@/x/y/u}]
get_tmpl:
  module.run:
    - cp.get_template: [{path: salt://tree/t}, {dest: @R@/t}, {who: me}]
get_tmpl_old:
  module.run:
    - name: cp.get_template
    - path: salt://tree/t
    - dest: @R@/q/t
    - makedirs: true
    - kwargs: {who: you}
get_tmpl_miss:
  module.run:
    - cp.get_template: [salt://tree/none, @R@/tn]
get_file_t:
  module.run:
    - cp.get_file: [{path: salt://tree/t}, {dest: @R@/tf}, {template: jinja}]
run_bg:
  module.run:
    - cmd.run_bg: [{cmd: 'true'}]
script:
  module.run:
    - cmd.script: [{source: salt://tree/s.sh}, {args: a b}]
script_old:
  module.run:
    - name: cmd.script
    - source: salt://tree/s.sh
    - m_args: a b
script_miss:
  module.run:
    - cmd.script: [{source: salt://tree/none.sh}]
script_rc:
  module.run:
    - cmd.script_retcode: [{source: salt://tree/s.sh}, {args: "3"}]
fstab_new:
  module.run:
    - mount.set_fstab: [{name: /mnt/a}, {device: /dev/sdb1}, {fstype: xfs}, {opts: 'rw,noatime'}, {config: @R@/fstab}]
fstab_same:
  module.run:
    - mount.set_fstab: [{name: /mnt/a}, {device: /dev/sdb1}, {fstype: xfs}, {opts: 'rw,noatime'}, {config: @R@/fstab}]
fstab_change:
  module.run:
    - name: mount.set_fstab
    - m_name: /mnt/a
    - device: /dev/sdb1
    - fstype: xfs
    - opts: [rw]
    - dump: 1
    - config: @R@/fstab
fstab_rm:
  module.run:
    - mount.rm_fstab: [{name: /}, {device: /dev/sda1}, {config: @R@/fstab}]
fstab_bad:
  module.run:
    - mount.set_fstab: [{name: /mnt/a}, {device: /dev/sdb1}, {fstype: xfs}, {config: @R@/nofstab}]
umount_none:
  module.run:
    - name: mount.umount
    - m_name: @R@/nothing
