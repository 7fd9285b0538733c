head:
  git.latest:
    - name: @R@/origin.git
    - target: @R@/head
branch:
  git.latest:
    - name: @R@/origin.git
    - rev: dev
    - target: @R@/branch
tag:
  git.latest:
    - name: @R@/origin.git
    - rev: v1a
    - target: @R@/tag
    - branch: mine
commit:
  git.latest:
    - name: @R@/origin.git
    - rev: v1
    - target: @R@/commit
    - remote: up
bare:
  git.latest:
    - name: @R@/origin.git
    - target: @R@/bare.git
    - bare: True
mirror:
  git.latest:
    - name: @R@/origin.git
    - target: @R@/mirror.git
    - mirror: True
nosuch:
  git.latest:
    - name: @R@/origin.git
    - rev: nosuch
    - target: @R@/nosuch
depth:
  git.latest:
    - name: @R@/origin.git
    - target: @R@/depth
    - depth: 1
missing:
  git.latest:
    - name: @R@/nothere.git
    - target: @R@/missing
