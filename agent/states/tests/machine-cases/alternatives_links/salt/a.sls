run:
  alternatives.install:
    - link: /srv/run
    - path: /srv/one
    - priority: 10
again:
  alternatives.install:
    - name: run
    - link: /srv/run
    - path: /srv/one
    - priority: 10
lower:
  alternatives.install:
    - name: run
    - link: /srv/run
    - path: /srv/two
    - priority: 5
higher:
  alternatives.install:
    - name: run
    - link: /srv/run
    - path: /srv/three
    - priority: '20'
not there:
  alternatives.install:
    - name: run
    - link: /srv/run
    - path: /srv/four
    - priority: 20
no number:
  alternatives.install:
    - name: other
    - link: /srv/other
    - path: /srv/one
    - priority: much
auto already:
  alternatives.auto:
    - name: run
by hand:
  alternatives.set:
    - name: run
    - path: /srv/two
by hand again:
  alternatives.set:
    - name: run
    - path: /srv/two
by its begin:
  alternatives.set:
    - name: run
    - path: /srv/t
not one of them:
  alternatives.set:
    - name: run
    - path: /srv/four
of no name:
  alternatives.set:
    - name: nosuch
    - path: /srv/two
back to auto:
  alternatives.auto:
    - name: run
nothing to put:
  alternatives.auto:
    - name: nosuch
gone:
  alternatives.remove:
    - name: run
    - path: /srv/three
gone already:
  alternatives.remove:
    - name: run
    - path: /srv/three
two gone:
  alternatives.remove:
    - name: run
    - path: /srv/two
all gone:
  alternatives.remove:
    - name: run
    - path: /srv/one
never there:
  alternatives.remove:
    - name: run
    - path: /srv/one
at the end:
  alternatives.install:
    - name: run
    - link: /srv/run
    - path: /srv/two
    - priority: 7
