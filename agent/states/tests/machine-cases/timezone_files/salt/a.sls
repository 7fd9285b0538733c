Europe/Berlin:
  timezone.system
set already:
  timezone.system:
    - name: Europe/Berlin
no clock:
  timezone.system:
    - name: Europe/Berlin
    - utc: False
other:
  timezone.system:
    - name: Etc/UTC
    - utc: False
no such zone:
  timezone.system:
    - name: Nowhere/Atall
wrongly clocked:
  file.managed:
    - name: /etc/default/rcS
    - contents: UTC=no
as a number:
  timezone.system:
    - name: Etc/UTC
    - utc: 1
right again:
  file.managed:
    - name: /etc/default/rcS
    - contents: UTC=yes
as a word:
  timezone.system:
    - name: Etc/UTC
    - utc: yes please
no timezone file:
  file.absent:
    - name: /etc/timezone
by the clock:
  timezone.system:
    - name: Etc/UTC
by the clock, not there:
  timezone.system:
    - name: Nowhere/Atall
by the clock, a folder:
  timezone.system:
    - name: Europe
by the clock, another:
  timezone.system:
    - name: Europe/Vilnius
back:
  timezone.system:
    - name: Etc/UTC
no clock file:
  file.absent:
    - name: /etc/default/rcS
untold:
  timezone.system:
    - name: Etc/UTC
dangling:
  file.symlink:
    - name: /etc/localtime
    - target: /nowhere
    - force: True
over a dangling link:
  timezone.system:
    - name: Europe/Berlin
mended:
  file.symlink:
    - name: /etc/localtime
    - target: /usr/share/zoneinfo/Europe/Vilnius
    - force: True
at the end:
  timezone.system:
    - name: Europe/Berlin
