ff:
  git.latest:
    - name: @R@/origin.git
    - rev: main
    - target: @R@/ff
dirty:
  git.latest:
    - name: @R@/origin.git
    - rev: main
    - target: @R@/dirty
dirty_reset:
  git.latest:
    - name: @R@/origin.git
    - rev: main
    - target: @R@/dirty_reset
    - force_reset: True
dirty_remote:
  git.latest:
    - name: @R@/origin.git
    - rev: main
    - target: @R@/dirty_remote
    - force_reset: remote-changes
dirty_current:
  git.latest:
    - name: @R@/origin.git
    - rev: main
    - target: @R@/dirty_current
switch:
  git.latest:
    - name: @R@/origin.git
    - rev: dev
    - branch: dev
    - target: @R@/switch
ahead:
  git.latest:
    - name: @R@/origin.git
    - rev: main
    - target: @R@/ahead
ahead_reset:
  git.latest:
    - name: @R@/origin.git
    - rev: main
    - target: @R@/ahead_reset
    - force_reset: True
stay:
  git.latest:
    - name: @R@/origin.git
    - rev: main
    - target: @R@/stay
    - update_head: False
follow:
  git.latest:
    - name: @R@/origin.git
    - rev: v1
    - target: @R@/follow
    - force_reset: True
full:
  git.latest:
    - name: @R@/origin.git
    - target: @R@/full
force:
  git.latest:
    - name: @R@/origin.git
    - target: @R@/force
    - force_clone: True
plain:
  git.latest:
    - name: @R@/origin.git
    - target: @R@/plain
