asc:
  pkgrepo.managed:
    - name: deb [signed-by=/etc/apt/keyrings/key.asc arch=amd64] http://unreachable.invalid/a bookworm main
    - file: /etc/apt/sources.list.d/a.list
    - key_url: file:///srv/key.asc
    - aptkey: False
    - refresh: False
gpg:
  pkgrepo.managed:
    - name: deb [arch=amd64 signed-by=/etc/apt/keyrings/mine.gpg] http://unreachable.invalid/b bookworm main
    - file: /etc/apt/sources.list.d/b.list
    - key_url: salt://key.gpg
    - aptkey: False
    - refresh: False
    - comps: main,extra
clean:
  pkgrepo.managed:
    - name: deb [signed-by=/etc/apt/keyrings/mine.gpg] http://unreachable.invalid/b2 bookworm main
    - file: /etc/apt/sources.list.d/b.list
    - clean_file: True
    - aptkey: False
    - refresh: False
missing:
  pkgrepo.managed:
    - name: deb http://unreachable.invalid/c bookworm main
    - file: /etc/apt/sources.list.d/c.list
    - aptkey: False
    - refresh: False
keys:
  cmd.run:
    - name: cd /etc/apt/keyrings && sha256sum * && stat -c '%a %n' *
look:
  cmd.run:
    - name: cd /etc/apt && for f in sources.list sources.list.d/*; do echo "== $f"; cat "$f"; done
    - order: last
