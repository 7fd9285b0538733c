mt-a: pkg.installed
between:
  file.managed:
    - name: @R@/f
    - contents: x
mt-b: pkg.installed
gone:
  pkg.installed:
    - name: mt-nosuch
command:
  cmd.run:
    - name: dpkg-query -W -f '${Package}\n' 'mt-*' | sort
mt-c: pkg.installed
mt-d:
  pkg.installed:
    - require:
      - pkg: mt-c
