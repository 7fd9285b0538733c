set -e
. "$(dirname "$0")/../git.sh"
cd "$1"
upstream
git clone -q origin.git there
git clone -q origin.git at
git -C at checkout -q --detach v1
