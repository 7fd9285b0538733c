de_DE.UTF-8:
  locale.present
again:
  locale.present:
    - name: de_DE.utf8
with a charmap:
  locale.present:
    - name: en_IE.UTF-8 UTF-8
not in the file:
  locale.present:
    - name: nl_NL.UTF-8
unsupported:
  locale.present:
    - name: xx_XX.UTF-8
no charmap:
  locale.present:
    - name: de_DE
C.UTF-8:
  locale.present
locale -a:
  cmd.run
