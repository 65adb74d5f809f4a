#!/bin/sh
# seeds.sh   Prints what the articles name that this project answers, a row each with its codes, and checks that every
# code is in the catalogue and injected for real, or says why not.
set -eu
cd "$(dirname "$0")/.."
sh install/packages.sh build
exec cargo test --quiet --locked --test it -- --nocapture --exact \
    seeds::every_row_has_its_code_or_says_why_it_has_none
