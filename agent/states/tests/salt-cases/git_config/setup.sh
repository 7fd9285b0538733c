set -e
. "$(dirname "$0")/../git.sh"
cd "$1"
upstream
git -C work config --add test.many one
git -C work config --add test.many two
git -C work config --add test.several one
git -C work config --add test.several two
git -C work config test.same same
