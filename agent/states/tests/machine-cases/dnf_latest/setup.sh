set -e
. "$(dirname "$0")/../dnf.sh"
for each in a b c; do package "mt-$each" 1.0-1; package "mt-$each" 2.0-1; done
package mt-d 1.0-1
package mt-d 2.0-1
publish
have mt-a-1.0 mt-b-2.0 mt-d-1.0
