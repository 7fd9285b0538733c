app:
  name: web
  user: root
  size: 12
  mode: '0640'
  greeting: hello world
