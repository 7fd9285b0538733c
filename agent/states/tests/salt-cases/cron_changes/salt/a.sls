load:
  cron.file:
    - name: salt://tab
    - user: ann
minute:
  cron.present:
    - name: /usr/bin/a
    - user: ann
    - minute: 7
    - identifier: one
command:
  cron.present:
    - name: /usr/bin/b2
    - user: ann
    - identifier: two
by_command:
  cron.present:
    - name: /usr/bin/c
    - user: ann
    - hour: 3
unmanaged:
  cron.present:
    - name: /usr/bin/unmanaged
    - user: ann
to_special:
  cron.present:
    - name: /usr/bin/d
    - user: ann
    - special: '@hourly'
    - identifier: four
remove:
  cron.absent:
    - name: /usr/bin/e
    - user: ann
remove_id:
  cron.absent:
    - name: any
    - identifier: six
    - user: ann
remove_special:
  cron.absent:
    - name: /usr/bin/g
    - special: '@daily'
    - user: ann
env:
  cron.env_present:
    - name: PATH
    - value: /bin
    - user: ann
env_same:
  cron.env_present:
    - name: SHELL
    - value: /bin/sh
    - user: ann
env_gone:
  cron.env_absent:
    - name: OLD
    - user: ann
