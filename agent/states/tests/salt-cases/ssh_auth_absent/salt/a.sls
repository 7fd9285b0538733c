gone:
  ssh_auth.absent:
    - name: AAAAC3NzaC1lZDI1NTE5AAAAIG1vZGVsa2V5MDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAw
    - user: ann
gone_line:
  ssh_auth.absent:
    - name: ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIG1vZGVsa2V5MDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAx whoever
    - user: ann
gone_not:
  ssh_auth.absent:
    - name: AAAAB3NzaC1yc2EAAAADAQABAAAAgQ==
    - user: ann
source:
  ssh_auth.absent:
    - user: ann
    - source: salt://keys
nobody_there:
  ssh_auth.absent:
    - name: AAAAC3NzaC1lZDI1NTE5AAAAIG1vZGVsa2V5MDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAw
    - user: nosuchuser
replace:
  ssh_auth.present:
    - name: AAAAB3NzaC1yc2EAAAADAQABAAAAgX==
    - user: ann
    - comment: new words
