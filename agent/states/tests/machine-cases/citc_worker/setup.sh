# The packages that the worker's states name, with units that sleep in the place of daemons, and the
# key of munge, which the tree leaves out. There is no head node: what mounts its folder makes an
# empty one of that name. That one shows no rsize and no wsize, so each run mounts it anew.
set -e
. "$(dirname "$0")/../apt.sh"
PARTS=$(mktemp -d)

# unit PACKAGE NAME [COMMAND]
unit() {
    mkdir -p "$PARTS/$1/usr/lib/systemd/system"
    printf '[Service]\nExecStart=%s 100000\n[Install]\nWantedBy=default.target\n' \
        "${3:-/bin/sleep}" > "$PARTS/$1/usr/lib/systemd/system/$2.service"
}

unit ntp ntpd
unit iptables iptables
unit nfs-utils rpcbind
unit nfs-utils rpcidmapd
unit torque-client munge
# The state looks for a process of this name.
unit torque-mom pbs_mom /usr/sbin/pbs_mom
mkdir -p "$PARTS/torque-mom/usr/sbin" "$PARTS/torque-mom/etc/torque/mom"
cp /bin/sleep "$PARTS/torque-mom/usr/sbin/pbs_mom"
mkdir -p "$PARTS/torque-client/etc/munge" "$PARTS/nfs-utils/sbin" "$PARTS/iptables/etc/sysconfig"
printf '#!/bin/sh\nexec mount -i -t tmpfs -o noatime,nodiratime "$1" "$2"\n' > "$PARTS/nfs-utils/sbin/mount.nfs4"
chmod 755 "$PARTS/nfs-utils/sbin/mount.nfs4"
for name in ntp iptables ipset nfs-utils torque-client torque-mom; do
    # The machine that this one is made from may have some of them.
    dpkg --purge --force-all "$name" >/dev/null 2>&1 || true
    package "$name" 1.0
done
publish
groupadd --system munge
useradd --system --gid munge munge
mkdir -p "$1/../salt/torque"
echo 'a key' > "$1/../salt/torque/munge.key"
: > /etc/fstab
