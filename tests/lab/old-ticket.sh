#!/bin/bash
# old-ticket.sh CACHE   Puts a ticket of KRB_USER that expired an hour ago into a cache. Waiting does not
# make one: both KDC and services accept a ticket for five minutes more than it says.
set -euo pipefail
lab=${GOCRED_LAB:?run enter.sh --domain}
PATH=$PATH:/usr/sbin:/sbin
work=$(mktemp -d)
# Not the job of this shell: that is faketime, whose child the KDC is.
trap '[ ! -s "$work/pid" ] || kill "$(cat "$work/pid")"; wait; rm -rf "$work"' EXIT

# Another KDC with the same keys, on an address and in a time of its own.
sed 's/127\.77\.0\.89/127.77.0.90/' "$lab/kdc/kdc.conf" >"$work/kdc.conf"
sed 's/kdc\.corp\.test/127.77.0.90/' "$lab/etc/krb5.conf" >"$work/krb5.conf"
export KRB5_CONFIG=$work/krb5.conf
KRB5_KDC_PROFILE=$work/kdc.conf faketime -f -2h krb5kdc -n -P "$work/pid" -r CORP.TEST \
    >"$work/log" 2>&1 &
tries=0
until (: <>/dev/tcp/127.77.0.90/88) 2>/dev/null; do
    if [ $((tries += 1)) -gt 500 ]; then
        cat "$work/log" >&2
        exit 1
    fi
    sleep 0.02
done
user=$(sed -n 's/^KRB_USER=//p' "$lab/accounts.env")
sed -n 's/^KRB_SECRET=//p' "$lab/accounts.env" | faketime -f -2h kinit -l 1h -c "$1" "$user" >/dev/null
