{{ d|yaml }} {{ d|string }}
{{ c|yaml }} {{ c|string }}
{{ c.items() }} {{ c.keys() }} {{ c.values() }} {{ c.keys()|string }}
{{ c.copy()|string }} {{ dict(c)|string }} {{ {}|string }}
{{ l|string }} {{ l|yaml }}
{{ c }} {{ (c,) }} {{ [c] }}
{{ c.b == {'y': 1, 'c': 2} }} {{ c.b == {'c': 2, 'y': 1} }}
{% set x = c.b.copy() %}{% do x.update({'a': 1}) %}{{ x|string }} {{ 'x' ~ x }} {{ '%s' % x }} {{ [x]|join }}
{{ salt['slsutil.renderer'](string='a: {z: 1, b: 2}')|yaml }}
{{ salt['test.echo'](c)|yaml }}
{{ c.b|dictsort|string }} {{ c.b|list }} {{ c.b|first }} {{ c|items|list }}
{% for x in l|groupby('a') %}{{ x|string }}{% endfor %} {{ m|yaml }}
{{ salt['slsutil.serialize']('json', c.b) }} {{ salt['slsutil.serialize']('yaml', pillar.z) }}
{{ pillar.z|yaml(False) }}
{{ pillar.z|json }} {{ pillar.z|tojson }} {{ pillar.ports|json(sort_keys=False) }} {{ pillar.only|json }}
{{ salt['pillar.get']('z', {'k': 1, 'a': 2}, merge=True)|yaml }} {{ salt['pillar.get']('nope', {'k': 1, 'a': 2})|yaml }}
{{ salt['slsutil.merge'](pillar.z, {'a': 1})|yaml }} {{ salt['slsutil.merge']({'a': 1}, pillar.z)|yaml }}
{{ salt['defaults.merge']({'z': 1, 'b': {'y': 1, 'c': 2}}, pillar.z)|yaml }}
{{ salt['grains.filter_by']({'default': {'z': 1, 'b': {'y': 1, 'c': 2}}}, default='default', merge=pillar.z)|yaml }}
{{ salt['pillar.get']('ports:80') }} {{ salt['pillar.get']('ports:8080') }} {{ salt['pillar.get']('3') }} {{ pillar|traverse('only:9') }} {{ pillar[3] }} {{ 3 in pillar }} {{ '3' in pillar }}
{{ pillar.only|dictsort|string }} {{ pillar.ports|length }} {{ pillar.only.keys()|sort }} {{ pillar.only.keys()|max }}
{{ pillar.z.nope|default('x') }} {{ pillar.z is mapping }} {{ salt['config.get']('z')|yaml }}
{{ pillar.z }} {{ pillar }}
