cd "$1" && ln -s nowhere dangling && ln -s t link
