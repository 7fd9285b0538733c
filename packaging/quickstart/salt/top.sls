# Which worker gets which states. `*` is every worker; `demo-*` would be those of the pool "demo".
base:
  '*':
    - base
    - account
    - clock
