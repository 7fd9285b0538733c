seen:
  test.show_notification:
    - text: first {{ pillar.first }}, base {{ pillar.base }}, dev {{ pillar.dev }}
