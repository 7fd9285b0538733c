plain:
  cron.file:
    - name: salt://tab
    - user: ann
again:
  cron.file:
    - name: salt://tab
    - user: ann
tpl:
  cron.file:
    - name: salt://tpl
    - template: jinja
    - context: {m: 9}
    - user: ann
kept:
  cron.file:
    - name: salt://tab
    - user: ann
    - replace: False
missing:
  cron.file:
    - name: salt://nosuch
    - user: ann
nobody_there:
  cron.file:
    - name: salt://tab
    - user: nosuchuser
