set -e
rm -rf /run/systemd/system
mkdir -p /etc/systemd/system
printf '[Service]\nExecStart=/bin/true\n[Install]\nWantedBy=multi-user.target\n' > /etc/systemd/system/mt.service
