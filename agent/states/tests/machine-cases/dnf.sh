# A repository of packages that hold one file each, for the setup.sh of a case to source.
export LC_ALL=C
REPOSITORY=/srv/packages
mkdir -p "$REPOSITORY"
# Salt asks the machine what it is.
rm -f /etc/os-release /etc/debian_version /etc/lsb-release
printf 'NAME="Rocky Linux"\nID="rocky"\nID_LIKE="rhel centos fedora"\nVERSION_ID="9.4"\n%s\n' \
    'PRETTY_NAME="Rocky Linux 9.4 (Blue Onyx)"' > /etc/os-release
echo 'Rocky Linux release 9.4 (Blue Onyx)' > /etc/redhat-release

# package NAME VERSION-RELEASE [EPOCH [SPEC-LINE..]]
package() {
    local build; build=$(mktemp -d)
    local name=$1 version=${2%-*} release=${2##*-} epoch=${3:-0}
    shift 2
    [ $# = 0 ] || shift
    {
        printf 'Name: %s\nVersion: %s\nRelease: %s\nEpoch: %s\n' "$name" "$version" "$release" \
            "$epoch"
        printf 'Summary: a test\nLicense: none\nBuildArch: noarch\n'
        for line in "$@"; do echo "$line"; done
        printf '%%description\na test\n%%files\n'
    } > "$build/a.spec"
    rpmbuild -bb --quiet --define "_topdir $build" --define "_rpmdir $REPOSITORY" \
        "$build/a.spec" > /dev/null 2>&1
    rm -r "$build"
}

# publish: makes the list of packages; it is the only one that this machine has.
publish() {
    rm -rf /etc/yum.repos.d/* /var/cache/dnf
    mkdir -p /etc/yum.repos.d /etc/dnf
    printf '[main]\ngpgcheck=0\n' > /etc/dnf/dnf.conf
    createrepo_c --quiet "$REPOSITORY"
    printf '[local]\nname=Local\nbaseurl=file://%s\ngpgcheck=0\n' "$REPOSITORY" \
        > /etc/yum.repos.d/local.repo
}

# have PACKAGE..: installs them.
have() {
    dnf -q -y install "$@" > /dev/null
}
