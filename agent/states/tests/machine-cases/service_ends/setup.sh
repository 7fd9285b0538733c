set -e
units=/usr/lib/systemd/system
unit() { printf '[Service]\n%s\n' "$2" > "$units/mt-$1.service"; }
unit runs 'ExecStart=/bin/sleep 1000'
unit fails 'ExecStart=/bin/false'
unit ends 'ExecStart=/bin/true'
unit none 'ExecStart=/no/such/program'
unit exec 'Type=exec
ExecStart=/no/such/program'
unit once 'Type=oneshot
ExecStart=/bin/true'
unit folder 'ExecStart=/bin/sleep 1000
WorkingDirectory=/no/such/folder'
unit user 'ExecStart=/bin/sleep 1000
User=nosuch'
systemctl daemon-reload
