set:
  git.config_set: [{name: user.name}, {value: x}, {repo: @R@/none}]
unset:
  git.config_unset: [{name: user.name}, {repo: @R@/none}]
