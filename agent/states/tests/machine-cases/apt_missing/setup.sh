set -e
. "$(dirname "$0")/../apt.sh"
package mt-one 1.0
package mt-two 1.0
publish
