x:
  test.show_notification:
    - text: {{ salt['cp.get_file_str']('y') }}
