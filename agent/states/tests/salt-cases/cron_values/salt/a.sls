
number:
  cron.env_present: [{name: NUM}, {value: 5}]
text:
  cron.env_present: [{name: TXT}, {value: five}]
empty:
  cron.env_present: [{name: NIL}, {value: ''}]
named_by_number:
  cron.present: [{name: /bin/y}, {identifier: 5}]
lines:
  cron.present:
    - name: /bin/x
    - comment: |
        two
        lines
