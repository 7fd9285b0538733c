set -e
. "$(dirname "$0")/../dnf.sh"
package mt-a 1.0-1
publish
printf '# head\n[two]\nname=Two\nbaseurl=http://unreachable.invalid/two\nenabled=1\n# a comment\ngpgcheck=1\n\n[three]\nname = Three\nmirrorlist=http://unreachable.invalid/m\nenabled=0\n' > /etc/yum.repos.d/two.repo
printf '[lone]\nname=Lone\nbaseurl=http://unreachable.invalid/lone\n' > /etc/yum.repos.d/lone.repo
