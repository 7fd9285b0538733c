set -e
. "$(dirname "$0")/../apt.sh"
for name in a b c d e; do package "mt-$name" 1.0; done
package mt-f 1.0 "Depends: mt-e"
publish
have mt-a mt-b mt-f
package mt-a 2.0
package mt-b 2.0
publish
apt-get -qq -y remove mt-f > /dev/null
