run:
  alternatives.install:
    - link: /srv/run
    - path: /srv/one
    - priority: 10
other:
  alternatives.install:
    - name: run
    - link: /srv/run
    - path: /srv/two
    - priority: 5
by hand:
  alternatives.set:
    - name: run
    - path: /srv/two
back:
  alternatives.auto:
    - name: run
