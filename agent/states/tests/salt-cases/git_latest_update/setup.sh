set -e
. "$(dirname "$0")/../git.sh"
cd "$1"
upstream
for each in ff dirty dirty_reset dirty_remote switch ahead ahead_reset stay follow; do
    git clone -q origin.git "$each"
    git -C "$each" config user.email a@example.org
    git -C "$each" config user.name A
done
commit work a three
git -C work push -q ../origin.git main
for each in dirty dirty_reset dirty_remote; do echo mine > "$each/a"; done
commit ahead c local
commit ahead_reset c local
git clone -q origin.git dirty_current
echo mine > dirty_current/a
mkdir full
echo x > full/x
mkdir force
echo x > force/x
echo x > plain
