#!/bin/sh
# Draws docs/doctor.svg, the picture at the doctor's section of README, from what a real `gocred doctor`
# prints on a terminal in the lab:
#
#     tests/lab/enter.sh sh docs/doctor.sh
set -eu
here=$(cd "$(dirname "$0")" && pwd)
gocred=${GOCRED:-$here/../target/debug/gocred}
home=$(mktemp -d)
trap 'rm -rf "$home"' EXIT
export HOME="$home" SSL_CERT_FILE="$GOCRED_LAB/ca.pem" GIT_SSL_CAINFO="$GOCRED_LAB/ca.pem"
export GOPRIVATE='*.corp.test' TERM=xterm XDG_RUNTIME_DIR="$home"
export HTTPS_PROXY=http://ana:stale@proxy.corp.test:3128
export https_proxy="$HTTPS_PROXY"
unset NO_COLOR || true
cd "$home"
python3 "$here/picture.py" 'gocred doctor git.corp.test/team/lib@v1.0.0' \
    "$gocred" doctor git.corp.test/team/lib@v1.0.0 >"$here/doctor.svg"
