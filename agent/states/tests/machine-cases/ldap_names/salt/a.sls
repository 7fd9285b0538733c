@R@/file:
  file.managed:
    - contents: |
        {{ salt['user.info']('anna')['uid'] }} {{ salt['user.info']('bert').home }}
        {{ salt['user.primary_group']('anna') }} {{ salt['user.list_groups']('bert') }}
        {{ salt['file.user_to_uid']('anna') }} {{ salt['file.gid_to_group'](70011) }}
        {{ salt['group.info']('boats').gid }} {{ salt['user.info']('nobody-such') }}
    - user: anna
    - group: people

@R@/folder/below:
  file.directory:
    - user: bert
    - group: boats
    - makedirs: True
    - dir_mode: '2775'

by number:
  file.managed:
    - name: @R@/numbers
    - contents: x
    - user: 70002
    - group: 70011

link:
  file.symlink:
    - name: @R@/link
    - target: @R@/file
    - user: anna
    - group: boats

nobody such:
  file.managed:
    - name: @R@/none
    - contents: x
    - user: nobody-such

anna:
  user.present:
    - uid: 70001
    - shell: /bin/sh

boats:
  group.present:
    - gid: 70011

gone:
  user.absent:
    - name: nobody-such

carl:
  user.present:
    - groups: [boats]
    - remove_groups: False

who:
  cmd.run:
    - name: id -un; id -gn
    - runas: anna

who else:
  cmd.run:
    - name: id -un
    - runas: carl
    - umask: '027'

key:
  ssh_auth.present:
    - user: anna
    - enc: ssh-ed25519
    - name: AAAAC3NzaC1lZDI1NTE5AAAAIN1RfSnOPtwbRiqaFPSPyhTMc7rYDOi4UZLsnAbnXrGM
