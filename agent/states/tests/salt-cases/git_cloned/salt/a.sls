new:
  git.cloned:
    - name: @R@/origin.git
    - target: @R@/new
new_branch:
  git.cloned:
    - name: @R@/origin.git
    - target: @R@/new_branch
    - branch: dev
there:
  git.cloned:
    - name: @R@/origin.git
    - target: @R@/there
    - branch: main
other:
  git.cloned:
    - name: @R@/origin.git
    - target: @R@/other
    - branch: dev
nosuch:
  git.cloned:
    - name: @R@/origin.git
    - target: @R@/there
    - branch: nosuch
missing:
  git.cloned:
    - name: @R@/nothere.git
    - target: @R@/missing
