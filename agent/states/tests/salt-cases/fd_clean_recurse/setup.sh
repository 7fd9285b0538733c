cd "$1" && ln -s sub l/link && ln -s sub o/link && ln -s sub p/link
