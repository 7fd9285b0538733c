# A repository of packages that hold one file each, for the setup.sh of a case to source.
export DEBIAN_FRONTEND=noninteractive LC_ALL=C
REPOSITORY=/srv/packages
mkdir -p "$REPOSITORY"

# package NAME VERSION [CONTROL-LINE..]: with the files of $PARTS/NAME, if there are some.
package() {
    local build; build=$(mktemp -d)
    local name=$1 version=$2
    shift 2
    mkdir -p "$build/DEBIAN" "$build/usr/share/muster-test" "$build/etc"
    echo "$name $version" > "$build/usr/share/muster-test/$name"
    echo "# of $name" > "$build/etc/$name.conf"
    echo "/etc/$name.conf" > "$build/DEBIAN/conffiles"
    [ ! -d "${PARTS:-/}/$name" ] || cp -a "${PARTS:-/}/$name/." "$build"
    {
        printf 'Package: %s\nVersion: %s\nArchitecture: all\n' "$name" "$version"
        printf 'Maintainer: Nobody <nobody@example.org>\nDescription: a test\n'
        for line in "$@"; do echo "$line"; done
    } > "$build/DEBIAN/control"
    file=${name}_$(echo "$version" | sed 's/:/%3a/')_all.deb
    dpkg-deb --root-owner-group --build "$build" "$REPOSITORY/$file" > /dev/null
    rm -r "$build"
}

# publish: makes the list of packages; it is the only one that this machine has.
publish() {
    rm -rf /etc/apt/sources.list.d /var/lib/apt/lists/*
    mkdir -p /etc/apt/sources.list.d
    echo "deb [trusted=yes] file:$REPOSITORY ./" > /etc/apt/sources.list
    : > "$REPOSITORY/Packages"
    for file in "$REPOSITORY"/*.deb; do
        dpkg-deb --field "$file" >> "$REPOSITORY/Packages"
        {
            echo "Filename: ./$(basename "$file")"
            echo "Size: $(stat -c %s "$file")"
            echo "SHA256: $(sha256sum "$file" | cut -d ' ' -f 1)"
            echo
        } >> "$REPOSITORY/Packages"
    done
    apt-get -qq -o APT::Sandbox::User=root update
}

# have PACKAGE..: installs them.
have() {
    apt-get -qq -y --allow-downgrades install "$@" > /dev/null
}
