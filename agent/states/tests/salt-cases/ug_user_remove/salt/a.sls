ann:
  user.absent:
    - purge: True
games:
  user.absent:
    - force: True
keep:
  user.absent
