v: {{ x }}
id: {{ grains.id }}
p: {{ pillar.list }}
