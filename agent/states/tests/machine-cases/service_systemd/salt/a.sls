start:
  service.running:
    - name: mt-a
    - enable: True
there:
  service.running:
    - name: mt-b
enable_only:
  service.running:
    - name: mt-b.service
    - enable: True
disable_only:
  service.running:
    - name: mt-c
    - enable: False
killed:
  service.dead:
    - name: mt-h
    - enable: False
dead_already:
  service.dead:
    - name: mt-g
dead_enabled:
  service.dead:
    - name: mt-d
    - enable: False
nosuch:
  service.running:
    - name: mt-nosuch
nosuch_dead:
  service.dead:
    - name: mt-nosuch
nosuch_enabled:
  service.enabled:
    - name: mt-nosuch
nosuch_disabled:
  service.disabled:
    - name: mt-nosuch
enabled:
  service.enabled:
    - name: mt-f
disabled:
  service.disabled:
    - name: mt-f
    - require:
      - service: enabled
masked:
  service.masked:
    - name: mt-n
unmasked:
  service.unmasked:
    - name: mt-n
    - require:
      - service: masked
runtime:
  service.masked:
    - name: mt-g
    - runtime: True
is_masked:
  service.running:
    - name: mt-i
unmask:
  service.running:
    - name: mt-j
    - unmask: True
    - enable: True
instance:
  service.running:
    - name: mt-inst@one
bad:
  service.running:
    - name: mt-bad
    - init_delay: 1
once:
  service.running:
    - name: mt-once
fails:
  service.running:
    - name: mt-fails
trigger:
  test.succeed_with_changes: []
restart:
  service.running:
    - name: mt-k
    - watch:
      - test: trigger
reload:
  service.running:
    - name: mt-l
    - reload: True
    - watch:
      - test: trigger
stopped:
  service.dead:
    - name: mt-g
    - watch:
      - test: trigger
