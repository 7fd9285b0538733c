os: {{ grains.os }}
id: {{ grains['id'] | default('?') }}-{{ opts.id }}
