bare:
  git.present:
    - name: @R@/bare.git
work_tree:
  git.present:
    - name: @R@/tree
    - bare: False
full:
  git.present:
    - name: @R@/full
there:
  git.present:
    - name: @R@/work
    - bare: False
