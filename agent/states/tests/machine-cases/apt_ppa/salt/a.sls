there:
  pkgrepo.managed:
    - ppa: there/tools
    - refresh: false
new:
  pkgrepo.managed:
    - ppa: some/tools
    - refresh: false
named:
  pkgrepo.managed:
    - name: ppa:other/tools
    - refresh: false
bad:
  pkgrepo.managed:
    - ppa: bad/tools
    - refresh: false
gone:
  pkgrepo.absent:
    - ppa: gone/tools
old:
  pkgrepo.absent:
    - name: ppa:old/tools
prefixed:
  pkgrepo.absent:
    - ppa: ppa:third/tools
none:
  pkgrepo.absent:
    - ppa: never/was
malformed:
  pkgrepo.managed:
    - refresh: false
malformed_gone:
  pkgrepo.absent: []
look:
  cmd.run:
    - name: cd /etc/apt && for f in sources.list sources.list.d/*; do echo "== $f"; cat "$f"; done
    - order: last
