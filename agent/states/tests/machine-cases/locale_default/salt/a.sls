en_US.UTF-8:
  locale.system
again:
  locale.system:
    - name: en_US.UTF-8
back:
  locale.system:
    - name: C.UTF-8
nothing said:
  file.managed:
    - name: /etc/default/locale
    - contents: LC_TIME=C
then said:
  locale.system:
    - name: C
twice:
  file.managed:
    - name: /etc/default/locale
    - contents: |
        LANG="a"
        LANG=b
both:
  locale.system:
    - name: C.UTF-8
no file:
  file.absent:
    - name: /etc/default/locale
made:
  locale.system:
    - name: C.UTF-8
no tool:
  file.absent:
    - name: /usr/sbin/update-locale
unmade:
  locale.system:
    - name: POSIX
restored:
  locale.system:
    - name: C.UTF-8
