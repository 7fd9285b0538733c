uid:
  user.present:
    - name: ann
    - uid: 1234
    - gid: 60
allowed:
  user.present:
    - name: ann
    - uid: 1234
    - allow_uid_change: True
    - createhome: False
gid_allowed:
  user.present:
    - name: games
    - gid: users
    - allow_gid_change: True
    - createhome: False
groups:
  user.present:
    - name: ann
    - groups: [adm, users]
more:
  user.present:
    - name: ann
    - groups: [sudo]
    - remove_groups: False
opt:
  user.present:
    - name: ann
    - optional_groups: [sudo, nosuch]
none:
  user.present:
    - name: ann
    - groups: []
home:
  user.present:
    - name: ann
    - home: /home/new
home_no:
  user.present:
    - name: daemon
    - home: /home/daemon
    - createhome: False
gecos:
  user.present:
    - name: ann
    - fullname: Ann B
    - other: x
    - homephone: 12
same:
  user.present:
    - name: ann
    - shell: /bin/sh
root:
  user.present:
    - name: root
    - shell: /bin/dash
missing_group:
  user.present:
    - name: ann
    - groups: [nosuch, adm]
