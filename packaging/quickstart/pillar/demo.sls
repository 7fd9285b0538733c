# The demo's data; `grains` are the facts of the worker that this is rendered for.
demo:
  greeting: Welcome to {{ grains.id }}, configured by Muster
  contacts:
    - operators@example.org
  limits: |
    # Memory that jobs of users may lock, in KiB
    memlock = unlimited
    # Files that a process may have open
    nofile = 65536
  clock:
    servers:
      - 0.pool.ntp.org
      - 1.pool.ntp.org
    makestep: 1.0 3
