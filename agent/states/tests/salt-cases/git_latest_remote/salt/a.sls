moved:
  git.latest:
    - name: @R@/other.git
    - rev: main
    - target: @R@/moved
tags:
  git.latest:
    - name: @R@/origin.git
    - rev: main
    - target: @R@/tags
loose:
  git.latest:
    - name: @R@/origin.git
    - rev: main
    - target: @R@/loose
