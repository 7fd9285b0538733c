mt-a:
  pkg.installed:
    - version: '2.0'
look:
  cmd.run:
    - name: apt-mark showhold | grep mt-
mt-b:
  pkg.latest: []
