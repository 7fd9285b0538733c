gone:
  service.dead:
    - name: mt-gone
gone_again:
  service.running:
    - name: mt-gone
alias:
  service.running:
    - name: mt-alias
    - enable: True
template:
  service.enabled:
    - name: mt-inst@
template_on:
  service.running:
    - name: mt-inst@
instance:
  service.running:
    - name: mt-inst@two
    - enable: True
instance_off:
  service.dead:
    - name: mt-inst@two
    - enable: False
    - require:
      - service: instance
instance_new:
  service.running:
    - name: mt-inst@three
    - enable: True
static:
  service.enabled:
    - name: mt-static
static_off:
  service.disabled:
    - name: mt-static
static_stopped:
  service.dead:
    - name: mt-static
fails:
  service.running:
    - name: mt-fails
    - enable: True
fails_off:
  service.dead:
    - name: mt-fails
    - enable: True
protocol:
  service.running:
    - name: mt-protocol
late:
  service.running:
    - name: mt-late
signal:
  service.running:
    - name: mt-signal
needs:
  service.running:
    - name: mt-needs
assert:
  service.running:
    - name: mt-assert
condition:
  service.running:
    - name: mt-condition
noprogram:
  service.running:
    - name: mt-noprogram
badsetting:
  service.running:
    - name: mt-badsetting
refuses:
  service.running:
    - name: mt-refuses
no_block:
  service.running:
    - name: mt-fails
    - no_block: True
timer:
  service.running:
    - name: mt-a.timer
    - enable: True
target:
  service.enabled:
    - name: mt-x.target
slice:
  service.running:
    - name: system.slice
word:
  service.running:
    - name: on-target
word_masked:
  service.masked:
    - name: on-target
own:
  service.running:
    - name: mt-own
    - enable: True
own_masked:
  service.masked:
    - name: mt-other.timer
script:
  service.enabled:
    - name: mt-script
script_off:
  service.disabled:
    - name: mt-script
    - require:
      - service: script
stale:
  service.running:
    - name: mt-r
    - enable: True
masked_enabled:
  service.masked:
    - name: mt-q
masked_then_on:
  service.enabled:
    - name: mt-q
    - require:
      - service: masked_enabled
masked_then_unmasked:
  service.enabled:
    - name: mt-q
    - unmask: True
trigger:
  test.succeed_with_changes: []
watch_nosuch:
  service.running:
    - name: mt-nosuch
    - watch:
      - test: trigger
watch_nosuch_dead:
  service.dead:
    - name: mt-nosuch
    - watch:
      - test: trigger
watch_enabled:
  service.enabled:
    - name: mt-f
    - watch:
      - test: trigger
watch_force:
  service.running:
    - name: mt-c
    - reload: True
    - force: True
    - watch:
      - test: trigger
watch_no_block:
  service.running:
    - name: mt-d
    - no_block: True
    - watch:
      - test: trigger
watch_full:
  service.running:
    - name: mt-e
    - full_restart: True
    - watch:
      - test: trigger
watch_noreload:
  service.running:
    - name: mt-noreload
    - reload: True
    - watch:
      - test: trigger
watch_unable:
  service.running:
    - name: mt-unable
    - reload: True
    - watch:
      - test: trigger
watch_stopped:
  service.running:
    - name: mt-fails
    - watch:
      - test: trigger
text: {test.configurable_test_state: [{changes: False}, {result: True}, {comment: "{{ salt['service.status']('mt-c') }} {{ salt['service.status']('mt-nosuch') }} {{ salt['service.available']('mt-c') }} {{ salt['service.missing']('mt-nosuch') }} {{ salt['service.enabled']('mt-real') }} {{ salt['service.disabled']('mt-p') }} {{ salt['service.enabled']('mt-static') }} {{ salt['service.masked']('mt-c') }} {{ 'mt-c' in salt['service.get_all']() }} {{ 'mt-a.timer' in salt['service.get_all']() }} {{ salt['service.status']('mt-[bc]') }}"}]}
{%- for fun in ['start', 'restart', 'reload', 'enable', 'disable', 'stop', 'force_reload', 'mask', 'unmask'] %}
fun_{{ fun }}:
  module.run:
    - service.{{ fun }}:
      - name: mt-g
nosuch_{{ fun }}:
  module.run:
    - service.{{ fun }}:
      - name: mt-nosuch
{%- endfor %}
fun_fails:
  module.run:
    - service.start:
      - name: mt-fails
fun_reread:
  module.run:
    - service.systemctl_reload:
