#!/bin/bash
# squid.sh NAME   Becomes the forward proxy NAME of the lab: squid/NAME.conf. For inside.sh, and for
# tests that ended one and want it back.
set -euo pipefail
lab=${GOCRED_LAB:?run enter.sh}
PATH=$PATH:/usr/sbin:/sbin
# squid does not run as root. A user namespace of enter.sh knows no other account: there, one more
# namespace makes it nobody in particular.
drop=(setpriv --reuid=proxy --regid=proxy --clear-groups)
if getent group winbindd_priv >/dev/null; then # who may ask winbindd about a login
    drop=(setpriv --reuid=proxy --regid=proxy --groups=winbindd_priv)
fi
"${drop[@]}" test -w "$lab/run" 2>/dev/null || drop=(unshare --user --map-user=13 --map-group=13)
exec "${drop[@]}" squid -N -n "$1" -f "$lab/etc/squid/common.conf"
