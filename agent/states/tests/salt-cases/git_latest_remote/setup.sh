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
git clone -q origin.git moved
git clone -q --bare origin.git other.git
commit work a three
git -C work tag v3
git -C work push -q ../other.git main v3
git clone -q origin.git tags
git -C tags tag old
git clone -q --bare origin.git bare.git
git -C bare.git remote set-url origin ../other.git
git clone -q origin.git loose
git -C loose checkout -q --detach
