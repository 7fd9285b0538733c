new.example:
  host.present:
    - ip: 10.0.0.5
more:
  host.present:
    - name: alias.example
    - ip: [10.0.0.5]
there:
  host.present:
    - name: a.example
    - ip: 10.0.0.1
commented:
  host.present:
    - name: c.example
    - ip: 10.0.0.6
    - comment: why
comment_changed:
  host.present:
    - name: b.example
    - ip: 10.0.0.2
    - comment: other
moved:
  host.present:
    - name: moved.example
    - ip: 10.0.0.9
    - clean: True
gone:
  host.absent:
    - name: gone.example
    - ip: [10.0.0.3, 10.0.0.4]
gone_not:
  host.absent:
    - name: nosuch.example
    - ip: 10.0.0.1
only:
  host.only:
    - name: 10.0.0.7
    - hostnames: [one, two]
only_new:
  host.only:
    - name: 10.0.0.77
    - hostnames: just-one
only_same:
  host.only:
    - name: 127.0.0.1
    - hostnames: [localhost]
six:
  host.present:
    - name: six.example
    - ip: '2001:db8::1'
names:
  host.present:
    - ip: 10.0.0.20
    - names: [x1, x2]
