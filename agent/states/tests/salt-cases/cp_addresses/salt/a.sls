{% set local = '@R@/local' -%}
told:
  test.show_notification:
    - text: |
        {{ salt['cp.get_file_str']('salt:///y') | json }}
        {{ salt['cp.get_file_str']('salt://|y') | json }}
        {{ salt['cp.get_file_str']('salt://sub') | json }}
        {{ salt['cp.get_file_str'](local) | json }}
        {{ salt['cp.get_file_str']('file://' ~ local) | json }}
        {{ salt['cp.get_file_str'](local ~ '.none') | json }}
        {{ salt['cp.get_file_str']('@R@') | json }}
        {{ salt['cp.hash_file']('salt:///y') | json }}
        {{ salt['cp.hash_file'](local) | json }}
        {{ salt['cp.hash_file'](local ~ '.none') }}
        {{ salt['cp.hash_file']('y') }}
        {{ salt['cp.hash_file']('salt://none') | json }}
        {{ salt['cp.cache_file'](local) | json }}
        {{ salt['cp.cache_file']('file://' ~ local) | json }}
        {{ salt['cp.cache_file'](local ~ '.none') | json }}
        {{ salt['cp.cache_file']('salt://none') | json }}
        {{ salt['cp.is_cached'](local) | json }}
        {{ salt['cp.stat_file'](local) | json }}
        {{ salt['cp.stat_file']('salt:///y') | json }}
        {{ salt['cp.stat_file']('y') | json }}
