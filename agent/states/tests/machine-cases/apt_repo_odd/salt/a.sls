base:
  pkgrepo.managed:
    - humanname: CentOS-$releasever - Base
    - mirrorlist: http://mirror.example/?release=$releasever
    - gpgcheck: 1
tools:
  pkgrepo.managed:
    - ppa: some/tools
copr:
  pkgrepo.absent:
    - copr: some/tools
tools_gone:
  pkgrepo.absent:
    - ppa: some/tools
half:
  pkgrepo.absent:
    - name: deb http://nowhere.invalid/debian
