run:
  alternatives.install:
    - link: /srv/run
    - path: /srv/one
    - priority: 10
