
members:
  group.present: [{name: g1}, {members: ann}]
added:
  group.present: [{name: g2}, {addusers: ann}]
taken:
  group.present: [{name: g3}, {gid: 0}]
shared:
  group.present: [{name: g4}, {gid: 0}, {non_unique: true}]
groups:
  user.present: [{name: bob}, {groups: users}]
number:
  user.present: [{name: ann}, {gid: '1000'}]
own_number:
  user.present: [{name: carl}, {uid: '2005'}]
