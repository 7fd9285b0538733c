new:
  pkgrepo.managed:
    - name: deb [trusted=yes] file:/srv/b ./
    - file: /etc/apt/sources.list.d/b.list
there:
  pkgrepo.managed:
    - name: deb [trusted=yes] file:/srv/c ./
    - file: /etc/apt/sources.list.d/more.list
gone:
  pkgrepo.absent:
    - name: deb [trusted=yes] file:/srv/d ./
none:
  pkgrepo.absent:
    - name: deb http://nowhere.invalid/debian bookworm main
not_now:
  pkgrepo.managed:
    - name: deb http://unreachable.invalid/debian bookworm main contrib
    - file: /etc/apt/sources.list.d/off.list
    - disabled: True
off_new:
  pkgrepo.managed:
    - humanname: not now
    - name: deb http://unreachable.invalid/other bookworm main
    - file: /etc/apt/sources.list.d/off2.list
    - enabled: False
main:
  pkgrepo.managed:
    - name: deb [arch=amd64 trusted=yes] file:/srv/packages ./
    - refresh: False
look:
  cmd.run:
    - name: cd /etc/apt && for f in sources.list sources.list.d/*; do echo "== $f"; cat "$f"; done
    - order: last
