net.ipv4.ip_forward:
  sysctl.present:
    - value: 1
net.ipv4.conf.all.log_martians:
  sysctl.present:
    - value: 1
    - config: /etc/sysctl.conf
slash:
  sysctl.present:
    - name: net/ipv4/conf/all/accept_source_route
    - value: 0
ports:
  sysctl.present:
    - name: net.ipv4.ip_local_port_range
    - value: "20000 50000"
nosuch:
  sysctl.present:
    - name: net.nosuch.key
    - value: 1
named:
  sysctl.present:
    - name: net.ipv4.tcp_syncookies
    - value: "2"
