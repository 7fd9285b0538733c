base: {{ salt['pillar.file_exists']('first.sls', saltenv='base') }}
dev: {{ salt['pillar.file_exists']('first.sls', saltenv='dev') }}
