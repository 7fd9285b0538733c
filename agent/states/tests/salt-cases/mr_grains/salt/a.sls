set:
  module.run:
    - grains.set: [{key: mr_a}, {val: one}]
set_again:
  module.run:
    - grains.set: [{key: mr_a}, {val: one}]
set_list:
  module.run:
    - grains.set: [{key: mr_a}, {val: [x]}]
set_force:
  module.run:
    - grains.set: [{key: mr_a}, {val: [x]}, {force: true}]
set_deep:
  module.run:
    - grains.set: [{key: 'mr_d:b:c'}, {val: 1}]
set_clash:
  module.run:
    - grains.setval: [{key: mr_v}, {val: v}]
set_below:
  module.run:
    - grains.set: [{key: 'mr_v:w'}, {val: 1}]
setval_old:
  module.run:
    - name: grains.setval
    - key: mr_s
    - val: text
setvals:
  module.run:
    - grains.setvals: [{grains: {mr_x: 1, mr_y: {z: 2}}}]
append_new:
  module.run:
    - grains.append: [mr_n, r]
append_again:
  module.run:
    - grains.append: [mr_list, p]
append_text:
  module.run:
    - grains.append: [mr_v, r]
remove_none:
  module.run:
    - grains.remove: [mr_other, nope]
delval:
  module.run:
    - grains.delval: [mr_x]
delkey:
  module.run:
    - name: grains.delkey
    - key: mr_x
delkey_deep:
  module.run:
    - grains.delkey: ['mr_away:b:c']
delkey_map:
  module.run:
    - grains.delkey: [mr_y]
delkey_none:
  module.run:
    - grains.delkey: [mr_none]
