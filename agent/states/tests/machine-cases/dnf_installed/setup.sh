set -e
. "$(dirname "$0")/../dnf.sh"
package mt-plain 1.0-1
package mt-many 1.0-1
package mt-many 1.2-1
package mt-many 0.5-1 2
package mt-lib 3-1
package mt-app 1.5-2 0 "Requires: mt-lib"
package mt-here 1.0-1
package mt-down 1.0-1
package mt-down 2.0-1
package mt-old 1.0-1
package mt-old 2.0-1
publish
have mt-here mt-down-2.0 mt-old-1.0
