en_US.UTF-8:
  locale.system
again:
  locale.system:
    - name: en_US.UTF-8
other:
  locale.system:
    - name: C.UTF-8
as it was:
  file.managed:
    - name: /etc/sysconfig/i18n
    - contents: SYSFONT=x
    - contents_newline: False
appended:
  locale.system:
    - name: C.UTF-8
