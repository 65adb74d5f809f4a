#!/bin/bash
# domain.sh   What `enter.sh --domain` starts besides: an MIT KDC for CORP.TEST, a Samba domain
# controller for AD.CORP.TEST, and a proxy for each way to log in. For inside.sh, which reads it:
# `lab`, `here` and `serve` come from there.
# shellcheck disable=SC2154

proxies=(digest kerberos ntlm spnego gss all tls certificate open)

domain_prepare() { # all that the servers read, except the directory
    # libwbclient looks for winbindd nowhere else; Debian makes the folder at boot.
    mkdir -p /run/samba
    mount -t tmpfs -o mode=0755 gocred-samba /run/samba
    mkdir -m 0755 /run/samba/winbindd
    cat >"$lab/etc/krb5.conf" <<'CONF'
[libdefaults]
    default_realm = CORP.TEST
    dns_lookup_kdc = false
    dns_lookup_realm = false
    dns_canonicalize_hostname = false
    rdns = false
    udp_preference_limit = 1
[realms]
    CORP.TEST = {
        kdc = kdc.corp.test
    }
    AD.CORP.TEST = {
        kdc = dc1.ad.corp.test
    }
[domain_realm]
    proxy-spnego.corp.test = AD.CORP.TEST
    proxy-gss.corp.test = AD.CORP.TEST
    .ad.corp.test = AD.CORP.TEST
    .corp.test = CORP.TEST
CONF
    mount --bind "$lab/etc/krb5.conf" /etc/krb5.conf
    domain_certificates
}

domain_certificates() { # the server's, for squid, which cannot read root's files
    install -o proxy -m 0400 "$lab/etc/server.key" "$lab/etc/proxy.key"
    install -o proxy -m 0400 "$lab/etc/server.pem" "$lab/etc/proxy.pem"
}

domain_start() {
    local name
    domain_prepare
    serve samba domain_directory # first: it takes longest
    serve kdc domain_kdc
    domain_account SOCKS
    serve socks microsocks -i 127.77.0.28 -p 1080 -u "$user" -P "$secret"
    for name in "${proxies[@]}"; do
        serve "$name" "$here/squid.sh" "$name"
    done
}

domain_account() { # NAME: sets user and secret
    user=$(sed -n "s/^$1_USER=//p" "$lab/accounts.env")
    secret=$(sed -n "s/^$1_SECRET=//p" "$lab/accounts.env")
}

domain_kdc() {
    mkdir -m 0700 "$lab/kdc"
    cat >"$lab/kdc/kdc.conf" <<CONF
[kdcdefaults]
    kdc_listen = 127.77.0.89:88
    kdc_tcp_listen = 127.77.0.89:88
[realms]
    CORP.TEST = {
        database_name = $lab/kdc/principal
        key_stash_file = $lab/kdc/stash
    }
CONF
    export KRB5_KDC_PROFILE=$lab/kdc/kdc.conf
    domain_account KRB
    kdb5_util create -s -r CORP.TEST -P "$(openssl rand -hex 16)"
    kadmin.local -r CORP.TEST addprinc +requires_preauth -pw "$secret" "$user"
    for name in kerberos all; do
        kadmin.local -r CORP.TEST addprinc -randkey "HTTP/proxy-$name.corp.test"
        kadmin.local -r CORP.TEST ktadd -k "$lab/etc/proxy.keytab" "HTTP/proxy-$name.corp.test"
    done
    chown proxy "$lab/etc/proxy.keytab"
    exec krb5kdc -n -r CORP.TEST
}

domain_directory() {
    /usr/bin/python3 "$here/directory.py" provision
    chown proxy "$lab/etc/spnego.keytab"
    install -d -m 0750 -g winbindd_priv "$lab/ad/state/winbindd_privileged" # for squid's helpers
    exec samba --foreground --debug-stdout --no-process-group \
        --configfile="$lab/ad/etc/smb.conf"
}

domain_listening() { # what takes longest is asked for first: proxies log who only knocks
    local at
    for at in dc1.ad.corp.test/{389,88} kdc.corp.test/88 socks.corp.test/1080 \
        proxy-{tls,certificate}.corp.test/3129 \
        proxy-{digest,kerberos,ntlm,spnego,gss,all,open}.corp.test/3128; do
        (: <>"/dev/tcp/$at") 2>/dev/null || return 1
    done
    wbinfo --ping-dc >/dev/null 2>&1
}
