set -e
. "$(dirname "$0")/../apt.sh"
package mt-a 1.0
publish
for each in b c d; do cp -r "$REPOSITORY" "/srv/$each"; done
printf 'deb [trusted=yes] file:/srv/c ./\ndeb [trusted=yes] file:/srv/d ./\n' > /etc/apt/sources.list.d/more.list
printf '# a comment\ndeb http://unreachable.invalid/debian bookworm main contrib\n' > /etc/apt/sources.list.d/off.list
sed -i 's/^deb http/# deb http/' /etc/apt/sources.list.d/off.list
