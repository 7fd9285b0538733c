tpldir:
  file.managed: [{name: @R@/tpldir}, {source: salt://files/tpldir.j2}, {template: jinja}]
tplfile:
  file.managed: [{name: @R@/tplfile}, {source: salt://files/tplfile.j2}, {template: jinja}]
slspath:
  file.managed: [{name: @R@/slspath}, {source: salt://files/slspath.j2}, {template: jinja}]
sls:
  file.managed: [{name: @R@/sls}, {source: salt://files/sls.j2}, {template: jinja}]
env:
  file.managed: [{name: @R@/env}, {source: salt://files/env.j2}, {template: jinja}]
saltenv:
  file.managed: [{name: @R@/saltenv}, {source: salt://files/saltenv.j2}, {template: jinja}]
relative:
  file.managed: [{name: @R@/relative}, {source: salt://files/relative.j2}, {template: jinja}]
absolute:
  file.managed: [{name: @R@/absolute}, {source: salt://files/absolute.j2}, {template: jinja}]
beyond:
  file.managed: [{name: @R@/beyond}, {source: salt://files/beyond.j2}, {template: jinja}]

sls_sees:
  test.configurable_test_state:
    - changes: false
    - result: true
    - comment: {{ env is defined }} {{ tplroot is defined }} {{ tpldir }} {{ tplfile is defined }}
