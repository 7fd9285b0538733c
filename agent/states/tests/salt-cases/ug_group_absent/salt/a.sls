sudo:
  group.absent
nosuch:
  group.absent
games:
  group.absent
