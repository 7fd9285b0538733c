seen: {{ pillar.get('x', 'none') }}
x: 1
