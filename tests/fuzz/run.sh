#!/bin/sh
# Coverage-guided fuzzing of every codec, on stable Rust: sh tests/fuzz/run.sh SECONDS|--build [TARGET]...
# Each target runs for SECONDS, from its corpus in tests/fuzz/corpus/TARGET if there is one. A crash,
# a hang of more than 1 s or more than 512 MB fails the run and leaves the input in tests/fuzz/artifacts.
# Needs a C++ compiler for libFuzzer; `sh tests/run.sh` installs it.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
seconds=${1:?usage: sh tests/fuzz/run.sh SECONDS|--build [TARGET]...}
shift
[ $# -gt 0 ] || for file in "$here"/src/bin/*.rs; do set -- "$@" "$(basename "$file" .rs)"; done
host=$(rustc -vV | sed -n 's/^host: //p')
# What cargo-fuzz passes to rustc, less the nightly-only sanitizers.
RUSTFLAGS="--cfg fuzzing -Cpasses=sancov-module -Cllvm-args=-sanitizer-coverage-level=4 \
-Cllvm-args=-sanitizer-coverage-inline-8bit-counters -Cllvm-args=-sanitizer-coverage-pc-table \
-Cllvm-args=-sanitizer-coverage-trace-compares -Ccodegen-units=1" \
    cargo build --quiet --release --locked --target "$host" --manifest-path "$here/Cargo.toml" --target-dir "$here/target"
[ "$seconds" != --build ] || exit 0
mkdir -p "$here/artifacts"
one() { # TARGET: fuzzes one, and says how it went
    target=$1
    work=$(mktemp -d)
    corpus=$here/corpus/$target
    [ -d "$corpus" ] || corpus=
    code=0
    if "$here/target/$host/release/$target" -max_total_time="$seconds" -timeout=1 -rss_limit_mb=512 \
        -max_len=4096 -artifact_prefix="$here/artifacts/$target-" "$work" ${corpus:+"$corpus"} \
        >"$work.log" 2>&1; then
        printf 'fuzz %-10s %s\n' "$target" "$(sed -n 's/^Done \([0-9]*\) runs.*/\1 runs/p' "$work.log")"
    else
        printf 'fuzz %-10s FAILED\n' "$target"
        tail -n 40 "$work.log"
        code=1
    fi
    rm -rf "$work" "$work.log"
    return "$code"
}

# Two at a time: a core each.
failed=0
while [ $# -gt 0 ]; do
    one "$1" &
    first=$!
    shift
    if [ $# -gt 0 ]; then
        one "$1" || failed=1
        shift
    fi
    wait "$first" || failed=1
done
exit "$failed"
