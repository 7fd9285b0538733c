base:
  '*':
    - first
{% if salt['pillar.file_exists']('sub/second.sls') %}
    - sub.second
{% endif %}
{% if salt['pillar.file_exists']('none.sls') %}
    - none
{% endif %}
