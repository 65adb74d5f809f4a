#!/bin/sh
# What a sudden end leaves behind: sh tests/torture/run.sh kill [--short]
# `kill`: a write of the encrypted file is ended with SIGKILL at every one of its system calls, and at
# 20,000 random moments (--short, in CI: 500). After each, the old or the new secret is answered, and
# nothing is said of damage. Needs strace; `sh tests/run.sh` installs it.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$here/../.." && pwd)
profile=release
flag=--release
case " $* " in *" --short "*) profile=debug flag= ;; esac
# shellcheck disable=SC2086 # a word or none
cargo build --quiet --locked $flag --bins --manifest-path "$root/Cargo.toml"
cargo build --quiet --locked --manifest-path "$here/Cargo.toml" --target-dir "$here/target"
exec "$here/target/debug/torture" "${CARGO_TARGET_DIR:-$root/target}/$profile" "$@"
