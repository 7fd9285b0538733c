set -e
. "$(dirname "$0")/../dnf.sh"
for each in a b c; do package "mt-$each" 1.0-1; done
publish
have mt-a mt-b mt-c
