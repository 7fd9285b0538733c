set -e
. "$(dirname "$0")/../apt.sh"
for name in a b; do package "mt-$name" 1.0; package "mt-$name" 2.0; done
publish
have mt-a=1.0 mt-b=1.0
