#!/bin/sh
# Installs what the tests need and runs them all: sh tests/run.sh
# Needs a Rust toolchain with rustfmt and clippy, and root, sudo or the Debian packages below. The last
# line is `N passed, N failed`; a step that is not a test program counts as one.
# What only waits, for a download or a time limit, runs beside what computes; what measures runs alone.
set -u
cd "$(dirname "$0")/.." || exit 3
# What is missing here is a failure, not a skip: this script has installed it.
export CI="${CI:-true}"

for tool in cargo rustfmt cargo-clippy; do
    command -v "$tool" >/dev/null || {
        echo "run.sh: $tool is missing; a toolchain with it: https://rustup.rs, then rustup component add rustfmt clippy" >&2
        exit 3
    }
done
work=$(mktemp -d) || exit
trap 'rm -rf "$work"' EXIT

sh install/packages.sh build || exit
# All of it is found at once by what asks for it below.
{
    sh install/packages.sh demo domain test storage bench && sh install/oidc.sh && sh install/go.sh 1.24.11 &&
        sh install/go.sh 1.27.3 && sh install/go.sh 1.23.9 && sh install/go.sh 1.21.13 &&
        sh install/openbao.sh 2.7.2 && sh install/readers.sh && sh install/python.sh
} >"$work/installed" 2>&1 &
installing=$!

passed=0
failed=0
broken=
seconds=

step() { # HEADING CMD...
    heading=$1
    began=$(date +%s)
    shift
    printf '\n== %s\n' "$heading"
    { "$@" 2>&1; echo $? >"$work/code"; } | tee "$work/log"
    code=$(cat "$work/code")
    # `test result: ok. 12 passed; 0 failed; …`, once for each test program
    # shellcheck disable=SC2046 # two words on purpose
    set -- $(awk '/^test result: / { p += $4; f += $6 } END { print p + 0, f + 0 }' "$work/log")
    if [ "$code" = 0 ]; then
        [ "$1" -gt 0 ] || set -- 1 0
    else
        [ "$2" -gt 0 ] || set -- "$1" 1
        broken="$broken
  $heading (exit $code)"
    fi
    passed=$((passed + $1))
    failed=$((failed + $2))
    took "$heading" "$began"
}
took() { # WHAT SINCE
    seconds="$seconds
$(printf '%6d s  %s' "$(($(date +%s) - $2))" "$1")"
}

ahead() { # NAME CMD...: keeps what it says and how it ends for `told NAME`
    name=$1
    shift
    "$@" >"$work/$name" 2>&1
    echo $? >"$work/$name.code"
}
told() { # NAME
    cat "$work/$1"
    return "$(cat "$work/$1.code")"
}

domain=--domain
[ "$(id -u)" = 0 ] || { # CI is root
    domain=
    echo "run.sh: the tests of the domain fail, because they need root" >&2
}
helper="--no-default-features --bin git-credential-gocred"
step "format" cargo fmt --check
step "lints" cargo clippy --locked --all-targets -- -D warnings
# shellcheck disable=SC2086 # words on purpose
step "the helper, as it is shipped" cargo build --locked --profile helper $helper
step "build of the tests" cargo test --locked --no-run

began=$(date +%s)
wait "$installing" || {
    cat "$work/installed"
    echo "run.sh: what the tests need cannot be installed; the reason stands above" >&2
    exit 3
}
GOCRED_TEST_OIDC=${GOCRED_TEST_OIDC:-$(sh install/oidc.sh)} || exit
GOCRED_TEST_GO_1_24=${GOCRED_TEST_GO_1_24:-$(sh install/go.sh 1.24.11)} || exit
GOCRED_TEST_GO_1_27=${GOCRED_TEST_GO_1_27:-$(sh install/go.sh 1.27.3)} || exit
GOCRED_TEST_GO_1_23=${GOCRED_TEST_GO_1_23:-$(sh install/go.sh 1.23.9)} || exit
GOCRED_TEST_GO_1_21=${GOCRED_TEST_GO_1_21:-$(sh install/go.sh 1.21.13)} || exit
GOCRED_TEST_BAO=${GOCRED_TEST_BAO:-$(sh install/openbao.sh 2.7.2)} || exit
GOCRED_TEST_READERS=${GOCRED_TEST_READERS:-$(sh install/readers.sh)} || exit
GOCRED_TEST_PYTHON=${GOCRED_TEST_PYTHON:-$(sh install/python.sh)} || exit
PATH=$(dirname "$GOCRED_TEST_GO_1_27"):$PATH
export GOCRED_TEST_BAO GOCRED_TEST_GO_1_21 GOCRED_TEST_GO_1_23 GOCRED_TEST_GO_1_24 GOCRED_TEST_GO_1_27 GOCRED_TEST_OIDC \
    GOCRED_TEST_PYTHON GOCRED_TEST_READERS PATH
took "what had to be waited for of the installation" "$began"

step "unit tests" cargo test --locked --lib --bins
# There is no way to the Internet inside; everything was built above.
# Many of them wait for a time limit: four at a time keep two cores busy.
# shellcheck disable=SC2086 # a word or none
step "integration tests" tests/lab/enter.sh $domain cargo test --locked --offline --test it -- --test-threads 4 \
    --skip inject::the_doctor_names_what_is_injected
# The doctor's own limits of time count here, so that nothing runs beside it. It prints the figures.
step "injected failures" tests/lab/enter.sh cargo test --quiet --locked --offline --test it -- --nocapture --exact \
    inject::the_doctor_names_what_is_injected
# What `install.sh --demo` shows, with the programs that the tests were built with.
step "the demo" tests/lab/enter.sh install/demo.sh "${CARGO_TARGET_DIR:-$PWD/target}/debug" \
    "$(dirname "$GOCRED_TEST_GO_1_27")"
# Compiling beside the integration tests would make their every fsync wait for what it writes.
began=$(date +%s)
# Each of the first two ends with one long link on one core.
ahead fuzz sh tests/fuzz/run.sh --build &
fuzz=$!
ahead bench sh tests/bench/run.sh --build &
bench=$!
ahead lints-helper cargo clippy --locked --no-default-features --all-targets -- -D warnings
ahead lints-optional cargo clippy --locked --features kerberos-password -- -D warnings
ahead documentation env RUSTDOCFLAGS="-D warnings" cargo doc --locked --no-deps
wait "$fuzz" "$bench"
took "what comes later, compiled" "$began"
step "lints of the helper alone" told lints-helper
step "lints of the optional feature" told lints-optional
step "documentation" told documentation
step "build of the fuzzing" told fuzz
step "build of the figures" told bench
step "shell scripts" shellcheck .ci/run docs/*.sh install/*.sh tests/*.sh tests/*/*.sh
# From here on, nothing runs beside anything else.
step "fuzzing, 5 s a target" sh tests/fuzz/run.sh 5
step "figures, short" sh tests/bench/run.sh --short
step "wear, short" sh tests/soak/run.sh --short
step "sudden ends, short" sh tests/torture/run.sh kill --short
step "system calls that fail, short" sh tests/torture/run.sh inject --short
step "copies of a secret" sh tests/torture/run.sh canary --short
step "tests of the torture itself" cargo test --quiet --locked --manifest-path tests/torture/Cargo.toml \
    --target-dir tests/torture/target

printf '\nseconds:%s\n' "$seconds"
[ -z "$broken" ] || printf '\nfailed:%s\n' "$broken"
printf '\n%s passed, %s failed\n' "$passed" "$failed"
[ "$failed" = 0 ]
