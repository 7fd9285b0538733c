set -e
. "$(dirname "$0")/../git.sh"
cd "$1"
upstream
git clone -q origin.git copy
git -C copy config some.key one
git -C copy config --add some.key two
git -C work remote add origin ../origin.git
commit work c three
git -C work checkout -q -b fresh
git -C work tag v2
git -C work push -q origin main fresh v2
git -C work checkout -q main
git -C copy remote add secret https://bob:s3cret@example.com/x.git
echo more >> copy/a
echo new > 'copy/a file'
git clone -q origin.git old
git -C old reset -q --hard HEAD~1
