Europe/Berlin:
  timezone.system
again:
  timezone.system:
    - name: Europe/Berlin
    - utc: False
odd:
  file.managed:
    - name: /etc/sysconfig/clock
    - contents: |
        # nothing
        TIMEZONE=''
empty:
  timezone.system:
    - name: UTC
emptier:
  file.managed:
    - name: /etc/sysconfig/clock
    - contents: nothing
by the clock:
  timezone.system:
    - name: Europe/Berlin
mended:
  file.managed:
    - name: /etc/sysconfig/clock
    - contents: ZONE=Etc/UTC
last:
  timezone.system:
    - name: Etc/UTC
gone:
  file.absent:
    - name: /etc/sysconfig/clock
without it:
  timezone.system:
    - name: Etc/UTC
