new:
  grains.present:
    - name: muster_new
    - value: hello
number:
  grains.present:
    - name: muster_number
    - value: 5
nested:
  grains.present:
    - name: muster_tree:deep:er
    - value: 5
list:
  grains.present:
    - name: muster_list
    - value: [a, b]
    - force: True
word_to_list:
  grains.present:
    - name: muster_new
    - value: [x]
exists:
  grains.exists:
    - name: muster_new
exists_not:
  grains.exists:
    - name: nosuchgrain
absent:
  grains.absent:
    - name: muster_gone
absent_list:
  grains.absent:
    - name: muster_list
fresh:
  grains.list_present:
    - name: muster_fresh
    - value: [x, y]
no_list:
  grains.list_present:
    - name: muster_new
    - value: a
gone_not:
  grains.list_absent:
    - name: nosuchgrain
    - value: a
append_there:
  grains.append:
    - name: muster_fresh
    - value: x
append_no:
  grains.append:
    - name: muster_new
    - value: a
append_missing:
  grains.append:
    - name: nosuchgrain
    - value: a
