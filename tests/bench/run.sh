#!/bin/sh
# The figures of README, measured on this machine: sh tests/bench/run.sh [--short|--build]
# Needs the Debian packages of `install/packages.sh`; px comes from PyPI into a folder of the cache.
# The tables go to standard output: the helper's, the proxy's, then that of the module proxy front. Times fail nothing, counts do.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$here/../.." && pwd)
target=${CARGO_TARGET_DIR:-$root/target}
bench=$here/target/release/bench

# A domain controller needs real accounts.
domain=
[ "$(id -u)" != 0 ] || domain=--domain
sh "$root/install/packages.sh" build demo ${domain:+domain} test bench
helper="--no-default-features --bin git-credential-gocred"
# shellcheck disable=SC2086 # words on purpose
cargo build --quiet --profile helper --locked $helper --manifest-path "$root/Cargo.toml"
cargo build --quiet --release --locked --bin gocred --manifest-path "$root/Cargo.toml"
cargo build --quiet --release --locked --manifest-path "$here/Cargo.toml" --target-dir "$here/target"

GOCRED_TEST_BAO=${GOCRED_TEST_BAO:-$(sh "$root/install/openbao.sh" 2.7.2)} || GOCRED_TEST_BAO=
[ -z "$GOCRED_TEST_BAO" ] || export GOCRED_TEST_BAO
px=${XDG_CACHE_HOME:-$HOME/.cache}/gocred-bench/px
if [ ! -x "$px/bin/px" ]; then
    python3 -m venv "$px" && "$px/bin/pip" install --quiet px-proxy==0.10.1 ||
        echo "run.sh: px cannot be installed; its column stays empty" >&2
fi
[ "${1:-}" != --build ] || exit 0
[ ! -x "$px/bin/px" ] || export GOCRED_BENCH_PX="$px/bin/px"

code=0
# The helper looks for `gocred` beside it.
cp "$target/helper/git-credential-gocred" "$target/release/"
"$bench" "$target/release/git-credential-gocred" "$@" || code=1
# shellcheck disable=SC2086 # no word, or one
"$root/tests/lab/enter.sh" $domain "$bench" --proxy "$target/release/gocred" "$@" || code=1
GOCRED_BENCH_GO=${GOCRED_BENCH_GO:-$(sh "$root/install/go.sh" 1.27.3)}
export GOCRED_BENCH_GO
"$root/tests/lab/enter.sh" "$bench" --goproxy "$target/release/gocred" "$@" || code=1
exit "$code"
