set -e
. "$(dirname "$0")/../apt.sh"
package mt-a 1.0
publish
echo 'deb http://ppa.launchpad.net/there/tools/ubuntu jammy main' > /etc/apt/sources.list.d/there.list
cat > /usr/bin/apt-add-repository <<'TOOL'
#!/bin/sh
case $2 in
ppa:bad/*) echo "no such archive" >&2; exit 1;;
esac
name=${2#ppa:}
echo "deb http://ppa.launchpad.net/$name/ubuntu jammy main" > "/etc/apt/sources.list.d/$(echo "$name" | tr / -).list"
TOOL
chmod 755 /usr/bin/apt-add-repository
for name in gone old third; do
    echo "deb http://ppa.launchpad.net/$name/tools/ubuntu jammy main" > "/etc/apt/sources.list.d/$name.list"
done
