set -e
. "$(dirname "$0")/../apt.sh"
package mt-a 1.0
package mt-lib 1.0
package mt-b 1.0 "Depends: mt-lib"
package mt-c 1.0
package mt-d 1.0 "Depends: mt-lib2"
package mt-lib2 1.0
publish
