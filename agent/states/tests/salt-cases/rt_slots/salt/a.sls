text:
  file.managed:
    - name: '@R@/text'
    - contents: __slot__:salt:test.echo(hello there)
quoted:
  file.managed:
    - name: '@R@/quoted'
    - contents: __slot__:salt:test.echo(text="hello, 'there' = (all)") ~ '/appended'
listed:
  file.managed:
    - name: '@R@/listed'
    - contents:
      - first
      - __slot__:salt:grains.get(deep:b, none)
path:
  file.managed:
    - name: '@R@/path'
    - contents: __slot__:salt:grains.get(deep).b
missing path:
  file.managed:
    - name: '@R@/missing'
    - contents: __slot__:salt:grains.get(deep).none.there
name:
  file.managed:
    - name: __slot__:salt:test.echo(@R@) ~ /named
    - contents: x
in context:
  file.managed:
    - name: '@R@/context'
    - source: salt://t.jinja
    - template: jinja
    - context:
        x: __slot__:salt:grains.get(deep).b ~ " more"
        y: plain
malformed:
  test.configurable_test_state:
    - name: __slot__:pillar:x
    - comment: __slot__:salt:nope.fun(x)
no call:
  test.configurable_test_state:
    - comment: __slot__:salt:test.echo
not run:
  test.configurable_test_state:
    - comment: __slot__:salt:test.echo(x)
    - onlyif: 'false'
