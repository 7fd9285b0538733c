Europe/Berlin:
  timezone.system
readlink /etc/localtime:
  cmd.run
again:
  timezone.system:
    - name: Europe/Berlin
back:
  timezone.system:
    - name: Etc/UTC
    - utc: False
no such zone:
  timezone.system:
    - name: Nowhere/Atall
local:
  cmd.run:
    - name: timedatectl set-local-rtc true
as it was:
  timezone.system:
    - name: Etc/UTC
