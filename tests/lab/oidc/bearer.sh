#!/bin/bash
# bearer.sh FOLDER   Becomes bearer.corp.test, with the repositories and pages of FOLDER. For tests in the
# lab, with login.corp.test running.
set -euo pipefail
lab=${GOCRED_LAB:?run enter.sh}
here=$(cd "$(dirname "$0")" && pwd)
run=$(cd "$1" && pwd)
sed -e "s#@RUN@#$run#g" -e "s#@LAB@#$lab#g" -e "s#@GIT@#$(git --exec-path)#g" \
    -e "s#@MODULES@#/usr/lib/apache2/modules#g" "$here/bearer.conf" >"$run/conf"
# Apache does not serve as root. The port is everybody's in this network, which is the lab's own.
echo 0 >/proc/sys/net/ipv4/ip_unprivileged_port_start
chmod -R a+rwX "$run"
chmod a+r "$lab/etc/server.key"
drop=(setpriv --reuid=nobody --regid=nogroup --clear-groups)
"${drop[@]}" test -w "$run" 2>/dev/null || drop=(unshare --user --map-user=65534 --map-group=65534)
exec "${drop[@]}" /usr/sbin/apache2 -f "$run/conf" -DFOREGROUND
