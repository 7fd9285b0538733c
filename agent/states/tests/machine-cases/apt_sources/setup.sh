set -e
. "$(dirname "$0")/../apt.sh"
package mt-a 1.0
package mt-b 1.0
package mt-b 2.0
package mt-c 1.0
publish
have mt-b=1.0 mt-c
