#!/bin/sh
# Wears the proxy: sh tests/soak/run.sh [--short] [flaps|requests|resets|bulk|flaky]...
# An upstream that goes up and down a thousand times in ten minutes under 200 transfers; a million
# requests; a tenth of all connections reset; 1 GiB both ways; thousands of downloads of 200 modules from
# a module proxy that fails one answer in ten. --short, in CI: a minute of the same.
# It fails where something hangs, is lost that was not in flight, or is not given back.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$here/../.." && pwd)
profile=release
build="build --release --bin gocred"
# What the tests have built: alone, half of it would be compiled again, with fewer features.
case " $* " in *" --short "*) profile=debug build="test --no-run --test it" ;; esac
# shellcheck disable=SC2086 # words on purpose
cargo $build --quiet --locked --manifest-path "$root/Cargo.toml"
cargo build --quiet --locked --manifest-path "$here/Cargo.toml" --target-dir "$here/target"
exec "$here/target/debug/soak" "${CARGO_TARGET_DIR:-$root/target}/$profile/gocred" "$@"
