#!/bin/sh
# Wears the proxy: sh tests/soak/run.sh [--short]
# An upstream that goes up and down a thousand times in ten minutes under 200 transfers; a million
# requests; a tenth of all connections reset; 1 GiB both ways. --short, in CI: a minute of the same.
# It fails where something hangs, is lost that was not in flight, or is not given back.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$here/../.." && pwd)
profile=release
flag=--release
[ "${1:-}" != --short ] || profile=debug flag=
# shellcheck disable=SC2086 # a word or none
cargo build --quiet --locked $flag --bin gocred --manifest-path "$root/Cargo.toml"
cargo build --quiet --locked --manifest-path "$here/Cargo.toml" --target-dir "$here/target"
exec "$here/target/debug/soak" "${CARGO_TARGET_DIR:-$root/target}/$profile/gocred" "$@"
