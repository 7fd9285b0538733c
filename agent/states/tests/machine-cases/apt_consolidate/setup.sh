set -e
. "$(dirname "$0")/../apt.sh"
package mt-a 1.0
publish
for each in b c; do cp -r "$REPOSITORY" "/srv/$each"; done
printf '# one\ndeb [trusted=yes] file:/srv/c ./\n' > /etc/apt/sources.list.d/one.list
printf 'deb [trusted=yes] file:/srv/c ./\n# deb http://off.invalid/debian bookworm main\n' > /etc/apt/sources.list.d/two.list
