set -e
. "$(dirname "$0")/../apt.sh"
package mt-a 1.0
publish
