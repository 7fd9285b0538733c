#!/bin/sh
# Runs a command on a private copy of this machine, as root: what it installs, writes or mounts
# is gone afterwards. MACHINE_LAYER names a folder with more files, laid over the machine's.
#
#     sh machine.sh COMMAND [ARGUMENT..]
set -e
scratch=$(mktemp -d)
trap 'rmdir "$scratch"' EXIT
SCRATCH=$scratch unshare --mount --propagation private sh -c '
set -e
mount -t tmpfs none "$SCRATCH"
mkdir "$SCRATCH/upper" "$SCRATCH/work" "$SCRATCH/root"
[ -z "$MACHINE_LAYER" ] || cp -a "$MACHINE_LAYER/." "$SCRATCH/upper/"
mount -t overlay none "$SCRATCH/root" \
    -o "lowerdir=/,upperdir=$SCRATCH/upper,workdir=$SCRATCH/work"
for folder in proc dev sys; do mount --rbind "/$folder" "$SCRATCH/root/$folder"; done
exec chroot "$SCRATCH/root" "$@"' sh "$@"
