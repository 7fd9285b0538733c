set -e
. "$(dirname "$0")/../apt.sh"
for name in a b c d; do package "mt-$name" 1.0; done
publish
have mt-a mt-b mt-c
apt-mark -qq hold mt-b mt-c
