# Services that are not there, each with something that changes before it.
changes:
  test.succeed_with_changes: []
mt-none-a:
  service.running:
    - watch: [{test: changes}]
mt-none-b:
  service.dead:
    - watch: [{test: changes}]
mt-none-c:
  service.running:
    - enable: True
    - reload: True
    - watch: [{test: changes}]
mt-none-d:
  service.running:
    - onchanges: [{test: changes}]
mt-none-e:
  service.enabled: []
mt-none-f:
  service.running:
    - enable: False
    - listen: [{test: changes}]
