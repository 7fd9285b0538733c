set -e
. "$(dirname "$0")/../git.sh"
cd "$1"
upstream
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
