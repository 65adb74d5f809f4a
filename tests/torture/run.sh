#!/bin/sh
# What goes wrong, and what is left behind: sh tests/torture/run.sh kill|inject|canary [--short] [--list]
# `kill`: a write of the encrypted file is ended with SIGKILL at every one of its system calls, and at
# 20,000 random moments (--short: 500). After each, the old or the new secret is answered, and nothing is
# said of damage.
# `inject [WORD]`: every system call of every flow (those whose name has the word) fails once, in each way
# that it can (--short: 30 a flow). No panic, no wait above 10 s, the old or the new secret, the
# secret in no file, argument or message, and an exit code that has a meaning.
# `canary`: a secret is searched for in memory outside locked pages, core dumps, swap, arguments,
# environments, logs and files, after each flow and after each thing that a daemon can be asked; --list
# names the places. As root.
# With --short the debug build is used, as everywhere in the tests. Needs the groups `test`, `demo` and
# `storage` of install/packages.sh; `sh tests/run.sh` installs them.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$here/../.." && pwd)
profile=release
build="build --release --bins"
# What the tests have built: alone, half of it would be compiled again, with fewer features.
case " $* " in *" --short "*) profile=debug build="test --no-run --test it" ;; esac
# shellcheck disable=SC2086 # words on purpose
cargo $build --quiet --locked --manifest-path "$root/Cargo.toml"
cargo build --quiet --locked --manifest-path "$here/Cargo.toml" --target-dir "$here/target"
exec "$here/target/debug/torture" "${CARGO_TARGET_DIR:-$root/target}/$profile" "$@"
