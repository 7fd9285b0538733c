a1:
  test.configurable_test_state:
    - comment: "{{ opts.id }} {{ opts['test'] }} {{ opts.file_client }} {{ opts.get('own') }} {{ opts['grains']['os'] }} {{ opts.hash_type }} {{ opts.state_top }} {{ opts.renderer }} {{ opts['saltenv'] }} {{ opts.pillarenv }} {{ salt['config.get']('own') }} {{ salt['config.get']('user') }}"
