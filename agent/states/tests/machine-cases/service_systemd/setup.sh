set -e
for each in a b c d e f g h i j k l m n; do
    printf '[Service]\nExecStart=/bin/sleep 1000\nExecReload=/bin/true\n%s\n' \
        '[Install]
WantedBy=default.target' > "/usr/lib/systemd/system/mt-$each.service"
done
printf '[Service]\nExecStart=/bin/sleep 1000\n' > /usr/lib/systemd/system/mt-inst@.service
printf '[Service]\nExecStart=/bin/false\n' > /usr/lib/systemd/system/mt-bad.service
printf '[Service]\nType=oneshot\nExecStart=/bin/true\n' > /usr/lib/systemd/system/mt-once.service
printf '[Service]\nType=oneshot\nExecStart=/bin/false\n' > /usr/lib/systemd/system/mt-fails.service
systemctl daemon-reload
systemctl -q enable mt-c mt-d mt-h
systemctl start mt-b mt-c mt-e mt-h mt-k mt-l mt-m
systemctl -q mask mt-i mt-j
