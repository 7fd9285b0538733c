add_host:
  module.run:
    - name: hosts.add_host
    - ip: 10.0.0.1
    - alias: one
add_more:
  module.run:
    - hosts.add_host: [10.0.0.1, uno]
add_there:
  module.run:
    - hosts.add_host: [10.0.0.1, one]
set_host:
  module.run:
    - hosts.set_host: [10.0.0.2, two]
set_host_comment:
  module.run:
    - hosts.set_host: [{ip: 10.0.0.3}, {alias: three}, {comment: third}]
rm_host:
  module.run:
    - hosts.rm_host: [10.0.0.1, one]
rm_none:
  module.run:
    - hosts.rm_host: [10.0.0.9, nine]
job:
  module.run:
    - name: cron.set_job
    - user: root
    - minute: 30
    - hour: '*'
    - daymonth: '*'
    - month: '*'
    - dayweek: '*'
    - cmd: /usr/bin/true
job_same:
  module.run:
    - cron.set_job: [root, '30', '*', '*', '*', '*', /usr/bin/true]
job_other:
  module.run:
    - cron.set_job: [root, '31', '*', '*', '*', '*', /usr/bin/true]
job_id:
  module.run:
    - cron.set_job: [ann, '1', '2', '*', '*', '*', /bin/b, {identifier: b}, {comment: a job}]
job_special:
  module.run:
    - cron.set_special: [ann, '@daily', /bin/daily]
job_env:
  module.run:
    - cron.set_env: [{user: ann}, {name: PATH}, {value: /bin}]
job_env_old:
  module.run:
    - name: cron.set_env
    - user: ann
    - m_name: PATH
    - value: /usr/bin
job_gone:
  module.run:
    - cron.rm_job: [ann, /bin/b, {identifier: b}]
job_none:
  module.run:
    - cron.rm_job: [ann, /bin/none]
env_gone:
  module.run:
    - cron.rm_env: [ann, SHELL]
key:
  module.run:
    - name: ssh.set_auth_key
    - user: root
    - key: AAAAC3NzaC1lZDI1NTE5AAAAIFuV8kBYQqa3o1CdWyy2EYwW6BtYl7eYyyFtmYJx1Ihk
    - enc: ssh-ed25519
    - comment: me@here
key_other:
  module.run:
    - ssh.set_auth_key:
      - user: root
      - key: AAAAC3NzaC1lZDI1NTE5AAAAIFuV8kBYQqa3o1CdWyy2EYwW6BtYl7eYyyFtmYJx1Ihk
      - enc: ssh-ed25519
      - comment: you@there
key_words:
  module.run:
    - ssh.set_auth_key: [root, ssh-rsa AAAA]
key_nobody:
  module.run:
    - ssh.set_auth_key: [nouser, AAAAC3NzaC1lZDI1NTE5AAAAIFuV8kBYQqa3o1CdWyy2EYwW6BtYl7eYyyFtmYJx1Ihk]
key_none:
  module.run:
    - ssh.rm_auth_key: [root, AAAAnone]
known:
  module.run:
    - ssh.set_known_host:
      - user: root
      - hostname: git.example.org
      - enc: ssh-ed25519
      - key: AAAAC3NzaC1lZDI1NTE5AAAAIFuV8kBYQqa3o1CdWyy2EYwW6BtYl7eYyyFtmYJx1Ihk
      - hash_known_hosts: false
