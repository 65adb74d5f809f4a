#!/bin/bash
# enter.sh [--domain] CMD...   Runs CMD inside a small corporate network of real servers, and leaves
# nothing behind. With --domain (root only: a domain controller needs real accounts) there are also an
# MIT KDC, a Samba domain controller, and a proxy for each way to log in.
#
# The network lives in namespaces of its own (network, mount, process): hosts may use port 443, names
# come from a private /etc/hosts, and there is no way out to the Internet. When the first process
# inside ends, however it ends, the kernel ends every other one and drops every mount. README.md in
# this folder lists the hosts; $GOCRED_LAB tells CMD where accounts, certificates and logs are.
set -euo pipefail

usage() { echo "usage: enter.sh [--domain] CMD..." >&2; exit 2; }
[ $# -gt 0 ] || usage
here=$(cd "$(dirname "$0")" && pwd)

need() { # GROUP PROGRAM...
    local program group=$1
    shift
    for program; do
        PATH=$PATH:/usr/sbin:/sbin command -v "$program" >/dev/null || {
            echo "enter.sh: $program is missing; run: sh install/packages.sh build $group" >&2
            exit 3
        }
    done
}
need demo nginx squid fcgiwrap openssl python3 git ip unshare setpriv
if [ "$1" = --domain ]; then
    [ $# -gt 1 ] || usage
    need "demo domain" krb5kdc kadmin.local kinit samba winbindd ntlm_auth wbinfo microsocks faketime
    [ "$(id -u)" = 0 ] || {
        echo "enter.sh: --domain needs root: Samba's domain controller needs real accounts" >&2
        exit 3
    }
fi

namespaces=(--net --mount --pid --fork --kill-child --mount-proc)
[ "$(id -u)" = 0 ] || namespaces+=(--user --map-root-user)
unshare "${namespaces[@]}" true || {
    echo "enter.sh: this machine gives no namespaces; run as root, or:" >&2
    echo "  sudo sysctl kernel.unprivileged_userns_clone=1" >&2
    exit 3
}

lab=$(mktemp -d "${TMPDIR:-/tmp}/gocred-lab.XXXXXX")
trap 'rmdir "$lab"' EXIT # only the mount point: what is in it lives in memory, inside
export GOCRED_LAB=$lab

# A job in the background, so that a signal to this shell is answered at once; `<&0` because such a
# job would otherwise read /dev/null.
setpriv --pdeathsig KILL unshare "${namespaces[@]}" "$here/inside.sh" "$@" <&0 &
inside=$!
# shellcheck disable=SC2317 # the traps call it
stop() {
    kill -KILL "$inside" 2>/dev/null || true
    wait "$inside" 2>/dev/null || true
    exit "$1"
}
trap 'stop 129' HUP
trap 'stop 130' INT
trap 'stop 143' TERM

code=0
wait "$inside" || code=$?
exit "$code"
