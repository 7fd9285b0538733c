{%- for unit in ['runs', 'fails', 'ends', 'none', 'exec', 'once', 'folder', 'user'] %}
mt-{{ unit }}:
  service.running: []
{%- endfor %}
given_time:
  service.running:
    - name: mt-fails
    - init_delay: 1
stops:
  service.dead:
    - name: mt-runs
