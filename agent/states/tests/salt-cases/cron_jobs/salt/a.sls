plain:
  cron.present:
    - name: /usr/bin/plain --x
    - user: ann
    - minute: 5
    - hour: '*/2'
with_id:
  cron.present:
    - name: echo with id
    - user: ann
    - identifier: MY_ID
    - comment: why this runs
    - dayweek: MON
special:
  cron.present:
    - name: /usr/bin/daily
    - user: ann
    - special: '@daily'
    - comment: |-
        two
        lines
switched:
  cron.present:
    - name: /usr/bin/off
    - user: ann
    - commented: True
env:
  cron.env_present:
    - name: MAILTO
    - value: ann@example.org
    - user: ann
as_root:
  cron.present:
    - name: /usr/bin/rootly
nobody_there:
  cron.present:
    - name: /usr/bin/x
    - user: nosuchuser
gone:
  cron.absent:
    - name: /usr/bin/gone
    - user: ann
gone_special:
  cron.absent:
    - name: /usr/bin/gone
    - special: '@reboot'
    - user: ann
env_gone:
  cron.env_absent:
    - name: NOTHERE
    - user: ann
