new:
  pkgrepo.managed:
    - name: deb [trusted=yes] file:/srv/b ./
    - consolidate: true
look:
  cmd.run:
    - name: cd /etc/apt && ls sources.list.d && cat sources.list
    - order: last
