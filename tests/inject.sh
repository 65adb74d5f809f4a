#!/bin/sh
# inject.sh [CHOICE]   Injects every failure for real, and prints what is not as it should be and the figures
# of the diagnosis; then compares its rules with the tools', a million random cases each. CHOICE is a list of
# codes, letters, `healthy`, `pairs`, `canaries`: inject.sh P,T03,healthy. With it, nothing is compared.
# Needs what tests/run.sh installs, and the variables that it sets.
set -eu
cd "$(dirname "$0")/.."
sh install/packages.sh build demo test
GOCRED_TEST_GO_1_27=${GOCRED_TEST_GO_1_27:-$(sh install/go.sh 1.27.3)}
PATH=$(dirname "$GOCRED_TEST_GO_1_27"):$PATH
export GOCRED_TEST_GO_1_27 PATH
[ $# = 0 ] || export GOCRED_INJECT="$1"
cargo test --locked --no-run
tests/lab/enter.sh cargo test --quiet --locked --offline --test it -- --nocapture --exact \
    inject::the_doctor_names_what_is_injected
[ $# != 0 ] || exec sh tests/emulate.sh
