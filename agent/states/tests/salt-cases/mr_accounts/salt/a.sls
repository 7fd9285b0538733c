{% set calls = [
 ('new', 'user.add', ['bob'], {'uid': 1500, 'shell': '/bin/sh', 'home': '/home/bob', 'createhome': false}),
 ('again', 'user.add', ['bob'], {}),
 ('shell', 'user.chshell', ['ann', '/bin/bash'], {}),
 ('shell_same', 'user.chshell', ['ann', '/bin/bash'], {}),
 ('fullname', 'user.chfullname', ['ann', 'Ann B'], {}),
 ('phone', 'user.chhomephone', ['ann', '123'], {}),
 ('home', 'user.chhome', ['bob', '/srv/bob'], {}),
 ('uid', 'user.chuid', ['bob', 1501], {}),
 ('gid', 'user.chgid', ['bob', 100], {}),
 ('groups', 'user.chgroups', ['ann', 'adm,games'], {}),
 ('groups_more', 'user.chgroups', ['ann', ['sudo']], {'append': true}),
 ('groups_none', 'user.chgroups', ['ann', ['nogroups']], {'append': true}),
 ('nobody', 'user.chgroups', ['nouser', ['adm']], {}),
 ('max', 'shadow.set_maxdays', ['ann', 90], {}),
 ('min', 'shadow.set_mindays', ['ann', 1], {}),
 ('warn', 'shadow.set_warndays', ['ann', 5], {}),
 ('inact', 'shadow.set_inactdays', ['ann', 7], {}),
 ('expire', 'shadow.set_expire', ['ann', 20000], {}),
 ('secret', 'shadow.set_password', ['ann', '$6$salt$xx'], {}),
 ('secret_none', 'shadow.set_password', ['nouser', '$6$salt$xx'], {}),
 ('group', 'group.add', ['hpc'], {'gid': 2000}),
 ('group_again', 'group.add', ['hpc'], {}),
 ('join', 'group.adduser', ['hpc', 'ann'], {}),
 ('leave', 'group.deluser', ['adm', 'ann'], {}),
 ('leave_again', 'group.deluser', ['adm', 'ann'], {}),
 ('join_nobody', 'group.adduser', ['hpc', 'nouser'], {}),
 ('group_id', 'group.chgid', ['hpc', 2001], {}),
 ('members', 'group.members', ['games', 'bob,ann'], {}),
 ('group_gone', 'group.delete', ['users2'], {}),
 ('gone', 'user.delete', ['games'], {}),
 ('gone_again', 'user.delete', ['games'], {'remove': true}),
] %}
{% for id, fun, args, more in calls %}
{{ id }}:
  module.run:
    - {{ fun }}:
{%- for arg in args %}
      - {{ arg | json }}
{%- endfor %}
{%- for key, value in more.items() %}
      - {{ key }}: {{ value | json }}
{%- endfor %}
{% endfor %}
old:
  module.run:
    - name: user.chshell
    - m_name: ann
    - shell: /bin/sh
no_one:
  module.run:
    - name: user.chshell
    - m_name: nouser
    - shell: /bin/sh
