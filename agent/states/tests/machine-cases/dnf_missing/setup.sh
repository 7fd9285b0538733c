set -e
. "$(dirname "$0")/../dnf.sh"
package mt-one 1.0-1
package mt-two 1.0-1
publish
