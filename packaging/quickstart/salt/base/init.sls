# What every worker has: a message of the day from a template, a folder for the demo's files.
{% set demo = pillar['demo'] %}

motd:
  file.managed:
    - name: /etc/motd
    - source: salt://base/motd.jinja
    - template: jinja
    - mode: '0644'
    - makedirs: True
    - context:
        greeting: {{ demo.greeting | yaml_dquote }}

demo-folder:
  file.directory:
    - name: /etc/muster-demo
    - mode: '0755'
    - makedirs: True

demo-state-folder:
  file.directory:
    - name: /opt/muster-demo
    - mode: '0755'
    - makedirs: True

limits:
  file.managed:
    - name: /etc/muster-demo/limits.conf
    - contents_pillar: demo:limits
    - require:
      - file: demo-folder

notes:
  file.append:
    - name: /etc/muster-demo/notes
    - text:
      - This worker is configured by Muster.
      - Changes made by hand are undone by the next apply.
    - require:
      - file: demo-folder

scripts:
  file.recurse:
    - name: /opt/muster-demo/scripts
    - source: salt://base/scripts
    - file_mode: '0755'
    - dir_mode: '0755'
    - require:
      - file: demo-state-folder

# Nothing to do on a fresh worker: what must not be there is not.
obsolete:
  file.absent:
    - name: /etc/muster-demo/obsolete.conf
