de_DE.UTF-8:
  locale.present
again:
  locale.present:
    - name: de_DE.utf8
unsupported:
  locale.present:
    - name: xx_XX.UTF-8
no such map:
  locale.present:
    - name: de_DE.NOSUCH
no codeset:
  locale.present:
    - name: fr_FR
locale -a:
  cmd.run
no folder:
  file.absent:
    - name: /usr/share/i18n/locales
without it:
  locale.present:
    - name: nl_NL.UTF-8
