plain:
  ssh_known_hosts.present:
    - name: one.example
    - user: ann
    - key: AAAAC3NzaC1lZDI1NTE5AAAAIG1vZGVsa2V5MDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAw
    - enc: ssh-ed25519
    - hash_known_hosts: False
update:
  ssh_known_hosts.present:
    - name: two.example
    - user: ann
    - key: AAAAC3NzaC1lZDI1NTE5AAAAIG1vZGVsa2V5MDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAx
    - enc: ssh-ed25519
    - hash_known_hosts: False
port:
  ssh_known_hosts.present:
    - name: one.example
    - user: ann
    - port: 2222
    - key: AAAAC3NzaC1lZDI1NTE5AAAAIG1vZGVsa2V5MDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAx
    - enc: ssh-ed25519
    - hash_known_hosts: False
port_hashed:
  ssh_known_hosts.present:
    - name: one.example
    - user: ann
    - port: 2223
    - key: AAAAC3NzaC1lZDI1NTE5AAAAIG1vZGVsa2V5MDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAx
    - enc: ssh-ed25519
gone:
  ssh_known_hosts.absent:
    - name: three.example
    - user: ann
gone_not:
  ssh_known_hosts.absent:
    - name: nosuch.example
    - user: ann
relative:
  ssh_known_hosts.present:
    - name: x.example
    - config: relative
    - key: AAAAC3NzaC1lZDI1NTE5AAAAIG1vZGVsa2V5MDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAw
    - enc: ssh-ed25519
