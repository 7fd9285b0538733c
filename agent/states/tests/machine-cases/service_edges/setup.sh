set -e
units=/usr/lib/systemd/system
for each in a b c d e f g h i j k l m n o p q r; do
    printf '[Service]\nExecStart=/bin/sleep 1000\nExecReload=/bin/true\n%s\n' \
        '[Install]
WantedBy=default.target' > "$units/mt-$each.service"
done
printf '[Service]\nExecStart=/bin/sleep 1000\n[Install]\nWantedBy=default.target\n' > "$units/mt-inst@.service"
printf '[Service]\nExecStart=/bin/sleep 1000\n[Install]\nAlias=mt-alias.service\n' > "$units/mt-real.service"
printf '[Service]\nExecStart=/bin/sleep 1000\n' > "$units/mt-gone.service"
printf '[Service]\nExecStart=/bin/sleep 1000\nExecStop=/bin/false\n' > "$units/mt-static.service"
printf '[Service]\nType=oneshot\nExecStart=/bin/false\n[Install]\nWantedBy=default.target\n' > "$units/mt-fails.service"
printf '[Service]\nType=notify\nExecStart=/bin/true\n' > "$units/mt-protocol.service"
printf '[Service]\nType=forking\nTimeoutStartSec=1\nExecStart=/bin/sleep 1000\n' > "$units/mt-late.service"
printf '[Service]\nType=oneshot\nExecStart=/bin/sh -c "kill -KILL $$$$"\n' > "$units/mt-signal.service"
printf '[Service]\nExecStart=/bin/sleep 1000\nExecReload=/bin/false\n' > "$units/mt-noreload.service"
printf '[Service]\nExecStart=/bin/sleep 1000\n' > "$units/mt-unable.service"
printf '[Unit]\nRequires=mt-fails.service\nAfter=mt-fails.service\n[Service]\nExecStart=/bin/sleep 1000\n' > "$units/mt-needs.service"
printf '[Unit]\nAssertPathExists=/nowhere\n[Service]\nExecStart=/bin/sleep 1000\n' > "$units/mt-assert.service"
printf '[Unit]\nConditionPathExists=/nowhere\n[Service]\nExecStart=/bin/sleep 1000\n' > "$units/mt-condition.service"
printf '[Service]\nExecStart=/no/such/program\n' > "$units/mt-noprogram.service"
printf '[Service]\nType=oneshot\n' > "$units/mt-badsetting.service"
printf '[Unit]\nRefuseManualStart=yes\nRefuseManualStop=yes\n[Service]\nExecStart=/bin/sleep 1000\n' > "$units/mt-refuses.service"
printf '[Timer]\nOnCalendar=yearly\nPersistent=no\n[Install]\nWantedBy=default.target\n' > "$units/mt-a.timer"
printf '[Unit]\nDescription=Nothing\n[Install]\nWantedBy=default.target\n' > "$units/mt-x.target"
printf '[Service]\nExecStart=/bin/sleep 1000\n' > "$units/on-target.service"
printf '[Service]\nExecStart=/bin/sleep 1000\n[Install]\nWantedBy=default.target\n' > /etc/systemd/system/mt-own.service
printf '#!/bin/sh\n### BEGIN INIT INFO\n# Provides: mt-script\n# Required-Start:\n# Required-Stop:\n# Default-Start: 2 3 4 5\n# Default-Stop: 0 1 6\n### END INIT INFO\nexit 0\n' > /etc/init.d/mt-script
chmod 755 /etc/init.d/mt-script
systemctl daemon-reload
systemctl -q enable mt-real mt-inst@two mt-q
systemctl start mt-gone mt-c mt-d mt-e mt-noreload mt-unable mt-static mt-r
rm "$units/mt-gone.service"
systemctl daemon-reload
# Changed since systemd read it.
touch -d tomorrow "$units/mt-r.service"
