
bare:
  ssh_known_hosts.present: [{name: git.example}, {user: ann}, {key: AAAAC3NzaC1lZDI1NTE5AAAAIHVFbhVtBBVn3Vv7wp3gVWnCOYgFVbmE4kHnLiTbCJLb}, {hash_known_hosts: false}]
managed:
  ssh_auth.manage: [{user: ann}, {ssh_keys: [ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIHVFbhVtBBVn3Vv7wp3gVWnCOYgFVbmE4kHnLiTbCJLb a]}]
