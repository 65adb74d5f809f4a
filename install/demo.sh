#!/bin/bash
# demo.sh BIN GO   Shows gocred's main job inside tests/lab/enter.sh, with a throw-away home and a real
# gnome-keyring. BIN and GO are the folders of gocred and of go. `sh install/install.sh --demo` calls it.
set -euo pipefail
lab=${GOCRED_LAB:?demo.sh runs inside tests/lab/enter.sh}
bin=${1:?the folder of gocred} go=${2:?the folder of go}
here=$(cd "$(dirname "$0")" && pwd)
exec </dev/null # nothing may ask

home=$lab/home
mkdir -m 700 "$home" "$home/run"
cd "$home"
log=$lab/log
# A clean environment: nothing of the caller's own configuration takes part.
for name in $(compgen -e); do
    case $name in PATH | TERM | GOCRED_LAB) ;; *) unset "$name" ;; esac
done
export HOME=$home XDG_RUNTIME_DIR=$home/run TMPDIR=$home PATH=$bin:$go:$PATH LC_ALL=C.UTF-8
export SSL_CERT_FILE=$lab/ca.pem GIT_SSL_CAINFO=$lab/ca.pem # the company's certificate authority
export GIT_CONFIG_NOSYSTEM=1 GOTOOLCHAIN=local

bold='' dim='' plain=''
[ ! -t 1 ] || { bold=$'\e[1m' dim=$'\e[2m' plain=$'\e[0m'; }
heading() { printf '\n%s%s%s\n' "$bold" "$1" "$plain"; }
note() { printf '%s%s%s\n' "$dim" "$1" "$plain"; }
fail() {
    printf '\nThe demo failed: %s\n' "$1" >&2
    exit 1
}
show() { # COMMAND [INPUT]: prints and runs it, with the secret of account INPUT on standard input
    printf '%s$ %s%s\n' "$bold" "$1" "$plain"
    if [ $# -gt 1 ]; then
        sed -n "s/^$2_SECRET=//p" "$lab/accounts.env" | eval "$1"
    else
        eval "$1"
    fi || fail "$1"
}
refused() { # COMMAND: prints and runs it; it has to fail
    printf '%s$ %s%s\n' "$bold" "$1" "$plain"
    ! eval "$1" || fail "this should have been refused: $1"
}
until_true() { # WHAT COMMAND...
    local what=$1
    shift
    for _ in $(seq 500); do
        "$@" && return
        sleep 0.02
    done
    fail "$what"
}

# A session bus and an unlocked keyring, as a desktop has them. The name first: a client that comes
# earlier would make the bus start a second, locked daemon.
export DBUS_SESSION_BUS_ADDRESS=unix:path=$XDG_RUNTIME_DIR/bus
dbus-daemon --session --nofork --nopidfile --address="$DBUS_SESSION_BUS_ADDRESS" >"$log/bus" 2>&1 &
until_true "no session bus" test -S "$XDG_RUNTIME_DIR/bus"
head -c 16 /dev/urandom | base64 | gnome-keyring-daemon --foreground --unlock --components=secrets \
    --control-directory="$XDG_RUNTIME_DIR/keyring" >"$log/keyring" 2>&1 &
ask() {
    dbus-send --session --print-reply --dest="$1" "$2" "$3" "string:$4" 2>>"$log/bus" | grep -q "$5"
}
until_true "no keyring" ask org.freedesktop.DBus / org.freedesktop.DBus.NameHasOwner \
    org.freedesktop.secrets 'boolean true'
until_true "no default collection" ask org.freedesktop.secrets /org/freedesktop/secrets \
    org.freedesktop.Secret.Service.ReadAlias default collection

heading "A corporate network on loopback, real servers, a throw-away home"
cat <<'T'
  git.corp.test          a private git host: nginx and git-http-backend, TLS, Basic authentication
  goproxy.corp.test      a private GOPROXY: nginx, TLS, Basic authentication
  proxy.corp.test:3128   squid: answers 407 to whoever brings no password
  the keyring            gnome-keyring-daemon on a private bus, unlocked
T
note "Tokens come on standard input, as from a password manager: they are in no argument, variable or file."

heading "1. Sign in to the git host, once, and wire git and go"
show "gocred login git.corp.test --username ana --with-token" GIT
show "gocred setup --git --go --private git.corp.test --yes"

heading "2. git works"
show "git clone https://git.corp.test/team/lib.git"

heading "3. Behind the corporate proxy it does not, yet"
refused "HTTPS_PROXY=http://proxy.corp.test:3128 git ls-remote https://git.corp.test/team/lib.git"

heading "4. Sign in to the proxy, and let gocred answer it"
show "gocred login --proxy http://proxy.corp.test:3128 --username ana.proxy --with-token" PROXY
show "gocred proxy run >proxy.log &"
until_true "the proxy does not start: $(cat proxy.log)" grep -q '^listening on ' proxy.log
cat proxy.log
# shellcheck disable=SC2016 # shown as it is typed
show 'eval "$(gocred env)"'
show "git ls-remote https://git.corp.test/team/lib.git"

heading "5. Sign in to the module proxy; go works, through squid"
show "gocred login goproxy.corp.test --username builder --with-token" GOPROXY
mkdir app
cd app
cat >go.mod <<'M'
module example.test/app

go 1.18

require (
	git.corp.test/team/dep v1.0.0
	private.corp.test/team/dep v1.0.0
)
M
cat >main.go <<'M'
package main

import (
	git "git.corp.test/team/dep"
	proxied "private.corp.test/team/dep"
)

func main() { println(git.M + proxied.M) }
M
note "app needs git.corp.test/team/dep, from git, and private.corp.test/team/dep, from the module proxy"
show "go env -w GOPROXY=https://goproxy.corp.test GONOSUMDB='*.corp.test'"
show "go version"
show "go mod download"
show "go mod tidy"
show "go list -m all"
cd ..

heading "6. Let go ask gocred, which tries again, ends in time, and says why in go's own error"
show "gocred setup --goproxy --yes"
cd app
show "go clean -modcache"
show "go mod download"
cd ..

heading "7. What git, go and the proxy will do"
show "gocred status"

heading "8. Where the secrets are not"
show "gocred proxy status"
note "Every file of this home, every argument and variable of every process that runs:"
note "raw, percent-encoded, base64 (also with the user in front), UTF-16"
processes=()
for process in /proc/[0-9]*; do
    case $(cat "$process/comm") in
    nginx | squid | fcgiwrap | basic_ncsa_auth) ;; # the servers know what they check
    *) processes+=("$process/cmdline" "$process/environ") ;;
    esac
done
python3 "$here/../tests/lab/sweep.py" "$lab/accounts.env" "$home" "${processes[@]}" || fail "a secret is in clear"
show "gocred proxy stop"

heading "Done. Two hosts and a proxy, one login each; git and go work, and no secret is in clear."
note "Nothing is left of it but gocred and its links in $bin. Next, with the name of your git host:"
echo "  gocred login git.corp.example"
