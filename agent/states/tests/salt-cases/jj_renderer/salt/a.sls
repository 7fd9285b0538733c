{#- slsutil.renderer: what it finds, and what it makes of files that are not there or empty. #}
{%- set render = salt['slsutil.renderer'] %}
{%- set shown = [
  render('salt://sub/m.sls'),
  render('salt://sub/m.sls?saltenv=base', q=5),
  render('salt://sub/m.sls', saltenv='dev'),
  render('@R@/own.sls'),
  render('file://@R@/own.sls', context={'more': 3}),
  render('@R@/own.sls', default_renderer='jinja'),
  render('@R@/none.sls'),
  render('@R@'),
  render('salt://sub/none.sls', default_renderer='jinja'),
  render('salt://sub'),
  render('salt://sub/blank.sls'),
  render('salt://sub/nothing.sls'),
  render('salt://sub/line.sls'),
  render('salt://sub/j.sls'),
  render(string='#!jinja|json\n{"a": {{ 1 }}}'),
  render(string='[]'),
] %}
{%- for one in shown %}
r{{ loop.index }}:
  test.show_notification:
    - text: {{ one | string | json }}
{%- endfor %}
