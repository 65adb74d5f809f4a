#!/bin/bash
# session.sh CMD...   Runs CMD in a session of its own: a real `systemd --user`, and no network but
# loopback. Everything is in namespaces that end with CMD. Needs root, because a manager needs a
# cgroup; exits with 3 where there is none to be had.
#
# CMD finds HOME and XDG_RUNTIME_DIR as they were given, and `systemctl --user` works.
set -euo pipefail
[ $# -gt 0 ] || { echo "usage: session.sh CMD..." >&2; exit 2; }

case ${GOCRED_SESSION:-outside} in
outside)
    # A mount namespace first, so that mounting cgroups changes nothing for anybody else.
    GOCRED_SESSION=mounted exec unshare --mount --propagation private "$0" "$@"
    ;;
mounted)
    groups=$(mktemp -d)
    mount -t cgroup2 cgroup2 "$groups" || exit 3
    own=$groups/gocred-session-$$
    from=$(sed -n 's/^0:://p' /proc/self/cgroup)
    mkdir "$own" || exit 3
    # shellcheck disable=SC2317 # the trap calls it
    finish() {
        echo $$ >"$groups$from/cgroup.procs" 2>/dev/null || echo $$ >"$groups/cgroup.procs"
        # What was killed leaves its group a moment later.
        for ((tries = 0; tries < 200; tries++)); do
            find "$own" -depth -type d -exec rmdir {} + 2>/dev/null
            [ -d "$own" ] || break
            sleep 0.02
        done
        umount "$groups" && rmdir "$groups"
    }
    trap finish EXIT
    echo $$ >"$own/cgroup.procs" || exit 3
    code=0
    GOCRED_SESSION=inside unshare --mount --pid --net --cgroup --fork --kill-child --mount-proc \
        "$0" "$@" || code=$?
    exit "$code"
    ;;
inside)
    unset GOCRED_SESSION
    PATH=$PATH:/usr/sbin:/sbin ip link set lo up
    mount -t cgroup2 cgroup2 /sys/fs/cgroup
    mount -t tmpfs -o mode=755 run /run
    mkdir -p /run/systemd/system # how programs know that systemd runs the machine
    SYSTEMD_LOG_TARGET=console /lib/systemd/systemd --user >"$XDG_RUNTIME_DIR/manager.log" 2>&1 &
    for ((tries = 0; ; tries++)); do
        state=$(systemctl --user is-system-running 2>/dev/null) || true
        case $state in running | degraded) break ;; esac
        [ "$tries" -lt 500 ] || { cat "$XDG_RUNTIME_DIR/manager.log" >&2; exit 3; }
        sleep 0.02
    done
    code=0
    "$@" || code=$?
    exit "$code"
    ;;
esac
