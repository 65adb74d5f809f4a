#!/bin/sh
# packages.sh GROUP...   Installs the Debian packages of the groups that are missing here: `build` (a
# linker for Rust), `demo` (the lab's servers, the keyring, Python for Go), `domain` (the servers of
# `tests/lab/enter.sh --domain`), `test` (what the tests drive), `storage` (keyrings, a TPM, a server
# that wants a Bearer token, the neighbours' tools), `bench` (what the proxy is measured beside). Programs only: no service is
# started or left enabled. Asks nothing.
set -eu
PATH=$PATH:/usr/sbin:/sbin

wanted() { # a program that the package brings, and the package
    case $1 in
    build) echo "cc gcc /usr/include/stdio.h libc6-dev" ;;
    demo)
        echo "nginx nginx squid squid-openssl fcgiwrap fcgiwrap openssl openssl git git ip iproute2
            python3 python3 dbus-daemon dbus-daemon dbus-send dbus-bin
            gnome-keyring-daemon gnome-keyring /etc/ssl/certs/ca-certificates.crt ca-certificates"
        ;;
    domain)
        samba=/usr/lib/$(uname -m)-linux-gnu/samba
        echo "krb5kdc krb5-kdc kadmin.local krb5-admin-server kinit krb5-user samba samba
            winbindd winbind /usr/share/samba/setup samba-ad-provision $samba/ldb/samba_dsdb.so
            samba-dsdb-modules $samba/vfs/acl_xattr.so samba-vfs-modules ldbsearch ldb-tools
            microsocks microsocks faketime faketime"
        ;;
    test)
        echo "curl curl strace strace valgrind valgrind shellcheck shellcheck c++ g++
            secret-tool libsecret-tools npm npm microsocks microsocks fish fish zsh zsh
            dnsmasq dnsmasq-base iptables iptables
            chromium chromium systemd-socket-activate systemd faketime faketime pactester libpacparser1
            gsettings libglib2.0-bin /usr/lib/go-1.19/bin/go golang-1.19-go
            /usr/include/$(uname -m)-linux-gnu/curl/curl.h libcurl4-gnutls-dev /usr/sbin/sshd openssh-server
            /usr/share/glib-2.0/schemas/org.gnome.system.proxy.gschema.xml gsettings-desktop-schemas"
        ;;
    storage)
        echo "keepassxc keepassxc keyctl keyutils swtpm swtpm swtpm_setup swtpm-tools
            docker-registry docker-registry skopeo skopeo htpasswd apache2-utils
            kubectl kubernetes-client tpm2_unseal tpm2-tools ssh-agent openssh-client gcore gdb apache2 apache2
            /usr/lib/apache2/modules/mod_oauth2.so libapache2-mod-oauth2
            /usr/include/libsecret-1/libsecret/secret.h libsecret-1-dev pkg-config pkg-config"
        ;;
    bench) echo "haproxy haproxy tinyproxy tinyproxy cntlm cntlm" ;;
    *) echo "packages.sh: there is no group $1; groups: bench build demo domain storage test" >&2 && exit 2 ;;
    esac
}

missing=
for group; do
    list=$(wanted "$group")
    # shellcheck disable=SC2086 # words on purpose
    set -- $list
    while [ $# -gt 0 ]; do
        [ -e "$1" ] || command -v "$1" >/dev/null || missing="$missing $2"
        shift 2
    done
    # The lab needs a squid that speaks TLS, which Debian's `squid` does not; apt replaces one by the other.
    [ "$group" != domain ] || ! command -v squid >/dev/null || squid -v | grep -q with-openssl ||
        missing="$missing squid-openssl"
    # ensurepip stands in a package of its own, and has no program to look for.
    [ "$group" != demo ] || python3 -c 'import ensurepip' 2>/dev/null || missing="$missing python3-venv"
done
[ -n "$missing" ] || exit 0

if [ "$(id -u)" = 0 ]; then
    root=
elif command -v sudo >/dev/null; then
    root=sudo
    echo "sudo is needed to install Debian packages:$missing"
else
    echo "packages.sh: run as root: apt-get install --no-install-recommends$missing" >&2
    exit 3
fi
command -v apt-get >/dev/null || {
    echo "packages.sh: this is not Debian; install what these packages bring:$missing" >&2
    exit 3
}

echo "installing Debian packages:$missing"
# shellcheck disable=SC2086,SC2016 # words on purpose; expanded by the inner shell
$root sh -eu -c '
    log=$(mktemp)
    policy=/usr/sbin/policy-rc.d # asked before a package starts its service; 101 is no
    if [ -e "$policy" ]; then policy=; else
        printf "#!/bin/sh\nexit 101\n" >"$policy"
        chmod 755 "$policy"
    fi
    trap "rm -f \"\$log\" \$policy" EXIT
    trap "exit 130" INT TERM HUP
    export DEBIAN_FRONTEND=noninteractive
    { apt-get -q update && apt-get -qy install --no-install-recommends "$@"; } >"$log" 2>&1 || {
        tail -n 30 "$log" >&2
        exit 3
    }
    for package; do
        case $package in
        nginx) services=nginx ;;
        squid-openssl) services=squid ;;
        fcgiwrap) services="fcgiwrap.service fcgiwrap.socket" ;;
        krb5-kdc) services=krb5-kdc ;;
        krb5-admin-server) services=krb5-admin-server ;;
        samba) services="smbd nmbd samba-ad-dc" ;;
        winbind) services=winbind ;;
        microsocks) services=microsocks ;;
        apache2 | docker-registry) services=$package ;;
        openssh-server) services=ssh ;;
        haproxy | tinyproxy | cntlm) services=$package ;;
        *) continue ;;
        esac
        systemctl --quiet disable $services >/dev/null 2>&1 || true
    done
' install $missing
