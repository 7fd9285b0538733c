new:
  pkgrepo.managed:
    - name: deb [signed-by=/usr/share/keyrings/k.gpg] http://unreachable.invalid/n bookworm main
    - file: /etc/apt/sources.list.d/n.sources
    - aptkey: False
    - refresh: False
there:
  pkgrepo.managed:
    - name: deb http://unreachable.invalid/x bookworm main
    - file: /etc/apt/sources.list.d/x.sources
    - refresh: False
gone:
  pkgrepo.absent:
    - name: deb http://unreachable.invalid/x bookworm-updates main
    - require:
      - pkgrepo: there
look:
  cmd.run:
    - name: cd /etc/apt && for f in sources.list sources.list.d/*; do echo "== $f"; cat "$f"; done
    - order: last
