set -e
. "$(dirname "$0")/../apt.sh"
for version in 1.0-1 1.2-1 2:0.5-1; do package mt-many "$version"; done
package mt-plain 1.0
package mt-here 1.0
package mt-lib 3
package mt-app 1.5 "Depends: mt-lib"
package mt-old 1.0
package mt-old 2.0
package mt-down 1.0
package mt-down 2.0
publish
have mt-here mt-old=1.0 mt-down=2.0
