plain:
  event.send:
    - name: my/tag
data:
  event.send:
    - name: my/data
    - data:
        status: "half-way"
        list: [1, two]
text:
  event.send:
    - name: my/text
    - data: a text
quiet:
  event.send:
    - name: my/quiet
    - data: {a: 1}
    - show_changed: False
more:
  event.send:
    - name: my/more
    - colour: red
    - with_grains: [os]
    - with_pillar: [nothing]
    - with_env: [NOTHING]
    - preload: {a: 1}
noop:
  event.wait:
    - name: my/wait
    - data: {a: 1}
trigger:
  test.succeed_with_changes: []
watching:
  event.wait:
    - name: my/watched
    - data: {a: 2}
    - watch:
      - test: trigger
after:
  event.wait:
    - name: my/changed
    - onchanges:
      - event: data
master:
  event.fire_master:
    - name: my/master
    - data: {a: 1}
fired:
  test.nop:
    - fire_event: my/fired
