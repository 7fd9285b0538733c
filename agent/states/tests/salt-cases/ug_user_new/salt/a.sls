new:
  user.present:
    - fullname: New User
    - roomnumber: 12
    - workphone: "34"
    - homephone: 5-6
    - other: more
    - groups: [adm, sudo]
    - optional_groups: [users, nosuch]
    - shell: /bin/bash
with_uid:
  user.present:
    - uid: 2000
    - gid: games
    - home: /home/elsewhere
    - createhome: False
sys:
  user.present:
    - system: True
    - createhome: False
nogroup_user:
  user.present:
    - usergroup: False
    - createhome: False
own_group:
  user.present:
    - usergroup: True
    - createhome: False
pw:
  user.present:
    - password: $6$abc$notarealhash
    - createhome: False
    - mindays: 1
    - maxdays: 90
    - inactdays: 5
    - warndays: 3
    - expire: 20000
    - date: 19000
empty:
  user.present:
    - empty_password: True
    - createhome: False
locked:
  user.present:
    - password_lock: True
    - createhome: False
taken:
  user.present:
    - uid: 1000
    - createhome: False
shared:
  user.present:
    - uid: 1000
    - unique: False
    - createhome: False
badgid:
  user.present:
    - gid: nosuchgroup
    - createhome: False
comma:
  user.present:
    - fullname: A, B
usergroup_name:
  user.present:
    - name: users
    - createhome: False
