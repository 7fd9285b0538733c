set -e
. "$(dirname "$0")/../apt.sh"
package mt-a 1.0
package mt-b 1.0
publish
rm -f /etc/apt/apt.conf.d/docker-clean
cp "$REPOSITORY/mt-b_1.0_all.deb" /var/cache/apt/archives/
