new:
  git.detached:
    - name: @R@/origin.git
    - rev: v1
    - target: @R@/new
branch:
  git.detached:
    - name: @R@/origin.git
    - rev: dev
    - target: @R@/there
at:
  git.detached:
    - name: @R@/origin.git
    - rev: v1
    - target: @R@/at
    - hard_reset: True
nosuch:
  git.detached:
    - name: @R@/origin.git
    - rev: nosuch
    - target: @R@/at
