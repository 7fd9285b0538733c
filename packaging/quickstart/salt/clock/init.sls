# A service's configuration, made like chrony's: a file from a template and pillar; when it
# changes, the service rereads it.
include:
  - base

clock-conf:
  file.managed:
    - name: /etc/muster-demo/clock.conf
    - source: salt://clock/clock.conf.jinja
    - template: jinja
    - mode: '0640'
    - require:
      - file: demo-folder

clock-link:
  file.symlink:
    - name: /etc/muster-demo/current.conf
    - target: clock.conf
    - require:
      - file: clock-conf

clock-seed:
  cmd.run:
    - name: ./scripts/seed.sh
    - cwd: /opt/muster-demo
    - creates: /opt/muster-demo/seed
    - require:
      - file: scripts

clock-reload:
  cmd.wait:
    - name: ./scripts/reload.sh
    - cwd: /opt/muster-demo
    - require:
      - cmd: clock-seed
    - watch:
      - file: clock-conf

clock-checked:
  cmd.run:
    - name: date > checked
    - cwd: /opt/muster-demo
    - onchanges:
      - cmd: clock-reload
