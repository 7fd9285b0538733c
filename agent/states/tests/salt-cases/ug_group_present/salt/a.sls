plain:
  group.present
with_gid:
  group.present:
    - gid: 1500
system:
  group.present:
    - system: True
with_members:
  group.present:
    - members: [games, ann]
with_addusers:
  group.present:
    - addusers: [ann]
taken:
  group.present:
    - gid: 60
shared:
  group.present:
    - gid: 60
    - non_unique: True
users:
  group.present:
    - gid: 150
    - members: [daemon, ann]
adm:
  group.present:
    - addusers: [ann, games]
sudo:
  group.present:
    - delusers: [games]
games:
  group.present: []
clash:
  group.present:
    - name: users
    - members: [ann]
    - addusers: [games]
clash2:
  group.present:
    - name: users
    - addusers: [ann]
    - delusers: [ann]
nobody_there:
  group.present:
    - name: adm
    - members: [nosuchuser]
moved:
  group.present:
    - name: ann
    - gid: 3000
bad_new:
  group.present:
    - addusers: [ann, nosuchuser]
