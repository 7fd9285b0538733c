# Salt does not load a module whose program is missing: nothing of the state is looked at.
job:
  cron.present:
    - name: /bin/true
    - unless: 'true'
no_job:
  cron.absent:
    - name: /bin/true
follows:
  test.nop:
    - require: [{cron: job}]
