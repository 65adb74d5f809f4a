#!/bin/sh
# The figures of README, measured on this machine: sh tests/bench/run.sh [--short]
# Needs cc, dbus-daemon, dbus-bin, gnome-keyring, libsecret-tools, strace and valgrind;
# `sh tests/run.sh` installs them.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$here/../.." && pwd)
cargo build --quiet --release --locked --no-default-features --bin git-credential-gocred \
    --manifest-path "$root/Cargo.toml"
cargo build --quiet --release --locked --manifest-path "$here/Cargo.toml" --target-dir "$here/target"
exec "$here/target/release/bench" "${CARGO_TARGET_DIR:-$root/target}/release/git-credential-gocred" "$@"
