bare:
  ssh_auth.present:
    - name: AAAAB3NzaC1yc2EAAAADAQABAAAAgQ==
    - user: ann
    - comment: from ann
line:
  ssh_auth.present:
    - name: ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIG1vZGVsa2V5MDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAw me@here and more
    - user: ann
options:
  ssh_auth.present:
    - name: AAAAC3NzaC1lZDI1NTE5AAAAIG1vZGVsa2V5MDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAx
    - user: ann
    - enc: ed25519
    - options: [no-pty, 'command="x y"']
options_line:
  ssh_auth.present:
    - name: no-pty,no-X11-forwarding ssh-rsa AAAAB3NzaC1yc2EAAAADAQABAAAAgR== opt
    - user: ann
update:
  ssh_auth.present:
    - name: AAAAC3NzaC1lZDI1NTE5AAAAIG1vZGVsa2V5MDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAx
    - user: ann
    - enc: ed25519
    - comment: now with a comment
invalid:
  ssh_auth.present:
    - name: not+base64!!
    - user: ann
nobody_there:
  ssh_auth.present:
    - name: AAAAC3NzaC1lZDI1NTE5AAAAIG1vZGVsa2V5MDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAw
    - user: nosuchuser
elsewhere:
  ssh_auth.present:
    - name: AAAAC3NzaC1lZDI1NTE5AAAAIG1vZGVsa2V5MDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAw
    - enc: ed25519
    - user: ann
    - config: '%h/keys/%u.pub'
source:
  ssh_auth.present:
    - user: ann
    - source: salt://keys
source_missing:
  ssh_auth.present:
    - user: ann
    - source: salt://nosuch
source_empty:
  ssh_auth.present:
    - user: ann
    - source: salt://nokeys
names:
  ssh_auth.present:
    - user: ann
    - names:
      - ssh-rsa AAAAB3NzaC1yc2EAAAADAQABAAAAgS== n1
      - ssh-rsa AAAAB3NzaC1yc2EAAAADAQABAAAAgT== n2
