#!/bin/sh
# Makes the certificates of `core::auth::channel_binding`'s tests, and prints what the tests expect:
# name, tls-server-end-point by openssl, NTLM's form of it.
set -eu
cd "$(dirname "$0")"
make() {
    name=$1 digest=$2
    shift 2
    openssl req -x509 -newkey "$@" -nodes -days 36500 -subj "/CN=$name" -keyout /dev/null -outform DER -out "$name.der" 2>/dev/null
    show "$name" "$digest"
}
show() {
    openssl dgst "-$2" -binary -out hash "$1.der"
    { head -c 16 /dev/zero; printf "\\$(printf %o $((21 + $(wc -c <hash))))\0\0\0tls-server-end-point:"; cat hash; } >structure
    echo "$1 $(od -An -v -tx1 hash | tr -d ' \n') $(openssl dgst -md5 -r structure | cut -d' ' -f1)"
    rm hash structure
}
make ec1 sha256 ec -pkeyopt ec_paramgen_curve:P-256 -sha1
make ec256 sha256 ec -pkeyopt ec_paramgen_curve:P-256 -sha256
make ec384 sha384 ec -pkeyopt ec_paramgen_curve:P-256 -sha384
make ec512 sha512 ec -pkeyopt ec_paramgen_curve:P-256 -sha512
make pss384 sha384 rsa:1024 -sha384 -sigopt rsa_padding_mode:pss
make rsa256 sha256 rsa:1024 -sha256
make ed sha256 ed25519
