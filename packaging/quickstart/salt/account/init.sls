# A group, and a user in it. No home: the user is a service's.
demo-group:
  group.present:
    - name: muster-demo
    - system: True

demo-user:
  user.present:
    - name: muster-demo
    - gid: muster-demo
    - system: True
    - fullname: Muster demo
    - home: /opt/muster-demo
    - createhome: False
    - shell: /usr/sbin/nologin
    - require:
      - group: demo-group
