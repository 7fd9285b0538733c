set -e
. "$(dirname "$0")/../git.sh"
cd "$1"
start work
commit work a one
git -C work tag v1
git -C work tag -a -m two v1a
commit work a two
git -C work checkout -q -b dev
commit work b dev
git -C work checkout -q main
git clone -q --bare work origin.git
