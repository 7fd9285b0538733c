set -e
. "$(dirname "$0")/../git.sh"
cd "$1"
upstream
git clone -q origin.git there
git clone -q origin.git other
mkdir noclone
