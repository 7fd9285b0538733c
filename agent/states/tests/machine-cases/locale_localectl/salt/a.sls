en_US.UTF-8:
  locale.system
again:
  locale.system:
    - name: en_US.UTF-8
not made:
  locale.system:
    - name: xx_XX.UTF-8
back:
  locale.system:
    - name: C.UTF-8
no bus:
  cmd.run:
    - name: systemctl stop dbus.socket dbus.service 2>/dev/null; rm -f /run/dbus/system_bus_socket
without:
  locale.system:
    - name: en_US.UTF-8
no tool:
  cmd.run:
    - name: mv /usr/bin/localectl /usr/bin/otherctl
without it:
  locale.system:
    - name: en_US.UTF-8
