# Repositories whose commits are always the same, for the setup.sh of a case to source.
export GIT_CONFIG_GLOBAL=/dev/null GIT_CONFIG_SYSTEM=/dev/null LC_ALL=C
export GIT_AUTHOR_NAME=A GIT_AUTHOR_EMAIL=a@example.org GIT_AUTHOR_DATE=2020-01-01T00:00:00Z
export GIT_COMMITTER_NAME=A GIT_COMMITTER_EMAIL=a@example.org
export GIT_COMMITTER_DATE=2020-01-01T00:00:00Z

# start FOLDER: an empty repository on the branch main
start() {
    git init -q -b main "$1"
}

# commit FOLDER FILE TEXT: a commit that writes one file
commit() {
    echo "$3" > "$1/$2"
    git -C "$1" add -A
    git -C "$1" commit -q -m "$3"
}

# upstream: work, with two tags and the branches main and dev, and its bare clone origin.git
upstream() {
    start work
    commit work a one
    git -C work tag v1
    git -C work tag -a -m two v1a
    commit work a two
    git -C work checkout -q -b dev
    commit work b dev
    git -C work checkout -q main
    git clone -q --bare work origin.git
}
