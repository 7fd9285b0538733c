#!/bin/sh
# Boots systemd on a private copy of this machine, as root, with no unit of its own, and runs a
# command there: what it changes or starts is gone afterwards. Needs cgroup v2, mounted anywhere.
#
#     sh systemd.sh COMMAND [ARGUMENT..]
set -eu
if [ "$1" = --boot ]; then
    # In fresh namespaces: the group must be their root, and hold no process from outside.
    echo 0 > "$2/cgroup.procs"
    exec unshare --cgroup sh "$0" --init "$3"
fi
if [ "$1" = --init ]; then
    read -r pid _ < /proc/self/stat
    mount -t tmpfs -o mode=755 machine "$2"
    cd "$2"
    mkdir upper work root
    mount -t overlay -o "lowerdir=/,upperdir=upper,workdir=work" overlay root
    cd root
    mount -t proc proc proc
    mount -t sysfs -o ro sysfs sys
    mount -t cgroup2 cgroup2 sys/fs/cgroup
    mount -t tmpfs -o mode=755 run run
    mount -t tmpfs -o mode=755 dev dev
    mkdir dev/pts dev/shm
    mount -t devpts -o newinstance,ptmxmode=666,mode=620 devpts dev/pts
    ln -s pts/ptmx dev/ptmx
    ln -s /proc/self/fd dev/fd
    for device in "null 3" "zero 5" "full 7" "random 8" "urandom 9"; do
        mknod -m 666 "dev/${device% *}" c 1 "${device#* }"
    done
    rm -rf etc/systemd/system/*.wants etc/systemd/system/default.target lib/systemd/system/*.wants
    printf '[Unit]\nDescription=Nothing\n' > etc/systemd/system/default.target
    mkdir -p mnt
    pivot_root . mnt
    umount -l /mnt
    echo "$pid"
    exec > /dev/null < /dev/null
    exec env -i container=test PATH=/usr/sbin:/usr/bin:/sbin:/bin \
        setpriv --bounding-set=-sys_time,-sys_module,-sys_rawio /lib/systemd/systemd
fi

groups=$(findmnt --noheadings --first-only --types cgroup2 --output TARGET)
[ -n "$groups" ]
group=$groups/muster-test-$$
scratch=$(mktemp -d)
machine=
end() {
    [ -z "$machine" ] || kill -KILL "$machine" 2> /dev/null || true
    wait 2> /dev/null || true
    tries=100
    while [ -d "$group" ] && [ "$tries" -gt 0 ]; do
        find "$group" -depth -type d -exec rmdir {} + 2> /dev/null || sleep 0.1
        tries=$((tries - 1))
    done
    rm -r "$scratch"
}
mkdir "$group" "$scratch/disk"
trap end EXIT
setpriv --pdeathsig KILL unshare --mount --pid --uts --ipc --fork --kill-child=KILL \
    --propagation private sh "$0" --boot "$group" "$scratch/disk" > "$scratch/pid" 2> "$scratch/log" &
machine=$!
tries=300
until pid=$(cat "$scratch/pid") && [ -n "$pid" ] && [ -S "/proc/$pid/root/run/systemd/private" ]; do
    tries=$((tries - 1))
    [ "$tries" -gt 0 ] || { cat "$scratch/log" >&2; exit 1; }
    sleep 0.1
done
nsenter --target "$pid" --mount --pid --uts --ipc --root --wd=/ "$@"
