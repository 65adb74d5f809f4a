#!/bin/bash
# inside.sh [--domain] CMD...   The first process of enter.sh's namespaces: starts the servers, waits
# until they answer, runs CMD, ends them. Not for use by itself.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
lab=${GOCRED_LAB:?run enter.sh}
sbin=$PATH:/usr/sbin:/sbin

domain=
patience=10 # seconds
[ "$1" != --domain ] || {
    domain=yes
    patience=60
    # shellcheck source=/dev/null
    . "$here/domain.sh"
    shift
}

servers=()
finish() {
    code=$?
    trap - EXIT
    # They keep nothing that is worth a graceful end (squid takes two seconds for one).
    { kill -KILL "${servers[@]}"; wait; } 2>/dev/null || true
    exit "$code"
}
trap finish EXIT
serve() { # NAME CMD...: starts a server whose own words go to log/NAME
    local name=$1
    shift
    PATH=$sbin "$@" </dev/null >"$lab/log/$name" 2>&1 &
    servers+=($!)
}

mount -t tmpfs -o mode=0755 gocred-lab "$lab"
mkdir "$lab/etc"
mkdir -m 1777 "$lab/log" "$lab/run" # squid writes there, too
cp "$here/hosts" "$lab/etc/hosts"
mount --bind "$lab/etc/hosts" /etc/hosts
mount -t tmpfs gocred-lab /dev/shm # squid's segments have fixed names, and the machine may run one
PATH=$sbin ip link set lo up

"$here/certificates.sh" "$lab"
python3 "$here/make.py" "$lab"
mkdir "$lab/etc/squid"
for template in nginx.conf $(cd "$here" && echo squid/*); do
    sed -e "s#@LAB@#$lab#g" -e "s#@GIT@#$(git --exec-path)#g" "$here/$template" >"$lab/etc/$template"
done
[ -z "$domain" ] || domain_start

serve fcgiwrap env -i PATH="$PATH" HOME="$lab/run" fcgiwrap -f -c 4 -s "unix:$lab/run/fcgiwrap"
serve nginx nginx -e stderr -c "$lab/etc/nginx.conf"
serve proxy "$here/squid.sh" proxy

listening() {
    local at
    [ -z "$domain" ] || domain_listening || return 1
    [ -S "$lab/run/fcgiwrap" ] || return 1
    for at in git.corp.test/443 git404.corp.test/443 orgs.corp.test/443 gitlab.corp.test/443 goproxy.corp.test/443 \
        goproxy.corp.test/9443 cdn.corp.test/443 store.corp.test/443 gotoken.corp.test/443 \
        artifactory.corp.test/443 broken.corp.test/443 portal.corp.test/443 \
        certificate.corp.test/443 asks.corp.test/443 plain.corp.test/80 proxy.corp.test/3128; do
        (: <>"/dev/tcp/$at") 2>/dev/null || return 1
    done
}
fail() {
    echo "inside.sh: the lab does not come up" >&2
    tail -n 20 "$lab"/log/* >&2
    exit 3
}
until=$((SECONDS + patience))
while :; do
    for server in "${servers[@]}"; do
        kill -0 "$server" 2>/dev/null || fail
    done
    listening && break
    [ "$SECONDS" -lt "$until" ] || fail
    sleep 0.02
done

"$@"
