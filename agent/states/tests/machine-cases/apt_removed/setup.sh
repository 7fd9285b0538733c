set -e
. "$(dirname "$0")/../apt.sh"
for name in a b c d e f; do package "mt-$name" 1.0; done
publish
have mt-a mt-b mt-c mt-d mt-e
apt-get -qq -y remove mt-e > /dev/null
