new:
  grains.present:
    - name: muster_new
    - value: hello
emptied:
  grains.absent:
    - name: muster_new
list:
  grains.append:
    - name: muster_word
    - value: b
    - convert: True
    - require: [{grains: word}]
word:
  grains.present:
    - name: muster_word
    - value: a
destroyed:
  grains.absent:
    - name: muster_flat
    - destructive: True
    - require: [{grains: flat}]
flat:
  grains.present:
    - name: muster_flat
    - value: 1
