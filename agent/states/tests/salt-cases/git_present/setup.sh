set -e
. "$(dirname "$0")/../git.sh"
cd "$1"
upstream
mkdir full force empty
echo x > full/x
echo x > force/x
