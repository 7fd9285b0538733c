{% set work = '@R@/work' -%}
told:
  test.show_notification:
    - text: |
        {{ salt['git.current_branch'](work) }}
        {{ salt['git.revision'](work) }} {{ salt['git.revision'](work, 'v1', short=True) }}
        {{ salt['git.rev_parse'](work, 'HEAD', opts='--abbrev-ref') }}
        {{ salt['git.list_branches'](work) }} {{ salt['git.list_tags'](work) }}
        {{ salt['git.describe'](work, 'v1a') }}
        {{ salt['git.ls_remote'](remote='@R@/origin.git', opts='--heads') }}
        {{ salt['git.ls_remote'](work, '@R@/origin.git', 'v1') }}
