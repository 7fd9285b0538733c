mt:
  service.running:
    - enable: True
dead:
  service.dead:
    - name: mt
enabled:
  service.enabled:
    - name: mt
disabled:
  service.disabled:
    - name: mt
masked:
  service.masked:
    - name: mt-other
unmasked:
  service.unmasked:
    - name: mt-third
trigger:
  test.succeed_with_changes: []
watching:
  service.running:
    - name: mt-watching
    - watch:
      - test: trigger
