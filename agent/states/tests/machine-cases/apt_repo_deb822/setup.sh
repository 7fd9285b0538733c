set -e
. "$(dirname "$0")/../apt.sh"
package mt-a 1.0
publish
printf '# mine\nTypes: deb\nURIs: http://unreachable.invalid/x\nSuites: bookworm bookworm-updates\nComponents: main\nEnabled: no\n' > /etc/apt/sources.list.d/x.sources
