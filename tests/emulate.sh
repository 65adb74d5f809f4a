#!/bin/sh
# emulate.sh [CASES]   Compares the rules behind `gocred route` and `gocred doctor` with the tools themselves, each
# with so many random cases (a million): proxies of Go and of libcurl, NO_PROXY, GOPRIVATE, git's `http.<url>.*` and
# `insteadOf`; whom git dials, which takes a process a case, a hundredth of them. Prints the seed of every test;
# `GOCRED_TEST_SEED` repeats one.
set -eu
cd "$(dirname "$0")/.."

GOCRED_TEST_CASES=${1:-1000000}
GOCRED_TEST_DIALS=$((GOCRED_TEST_CASES / 100))
GOCRED_TEST_GO_1_27=${GOCRED_TEST_GO_1_27:-$(sh install/go.sh 1.27.3)}
export CI=true GOCRED_TEST_CASES GOCRED_TEST_DIALS GOCRED_TEST_GO_1_27
sh install/packages.sh build test
exec cargo test --locked --test it -- --nocapture --test-threads 2 \
    doctor_route::go doctor_route::curl doctor_route::git goside_noproxy::go_is goside_pattern
