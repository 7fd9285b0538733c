set -e
. "$(dirname "$0")/../git.sh"
cd "$1"
upstream
