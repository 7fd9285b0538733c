fresh:
  pkgrepo.managed:
    - humanname: A new one
    - baseurl: http://unreachable.invalid/fresh
    - gpgcheck: 1
    - gpgkey: file:///etc/pki/key
    - skip_if_unavailable: True
    - enabled: False
    - comments:
      - why it is here
two:
  pkgrepo.managed:
    - humanname: Two
    - baseurl: http://unreachable.invalid/other
    - gpgcheck: 0
    - enabled: 1
three:
  pkgrepo.managed:
    - humanname: Three
    - mirrorlist: http://unreachable.invalid/m
    - disabled: True
lone:
  pkgrepo.absent: []
nolink:
  pkgrepo.managed:
    - humanname: None
nosuch:
  pkgrepo.absent: []
look:
  cmd.run:
    - name: cd /etc/yum.repos.d && for f in *; do echo "== $f"; cat "$f"; done
    - order: last
