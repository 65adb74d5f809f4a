#!/bin/bash
# certificates.sh FOLDER   Makes the authorities of the farm, and a certificate for each way in which one
# can be wrong: FOLDER/ca.pem, FOLDER/certs/NAME.{pem,key}.
set -euo pipefail
mkdir -p "$1/certs"
cd "$1/certs"
exec 2>openssl.log
key=(-newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes)
may_sign=(-addext basicConstraints=critical,CA:TRUE -addext keyUsage=critical,keyCertSign,cRLSign)

root() { # NAME SUBJECT
    openssl req -x509 "${key[@]}" -days 3000 -subj "$2" "${may_sign[@]}" -keyout "$1.key" -out "$1.pem"
}
between() { # NAME SUBJECT SIGNER [EXTENSION]: an authority below another
    openssl req "${key[@]}" -subj "$2" -keyout "$1.key" -out "$1.csr"
    printf 'basicConstraints=critical,CA:TRUE\nkeyUsage=critical,keyCertSign\n%s\n' "${4:-}" >"$1.ext"
    openssl x509 -req -in "$1.csr" -CA "$3.pem" -CAkey "$3.key" -CAcreateserial -days 3000 \
        -extfile "$1.ext" -out "$1.pem"
}
leaf() { # NAME SIGNER EXTENSIONS [SUBJECT] [SINCE] [KEY]: for NAME.corp.test
    openssl req ${6:-"${key[@]}"} -subj "${4:-/CN=$1.corp.test}" -keyout "$1.key" -out "$1.csr"
    printf '%b\n' "$3" >"$1.ext"
    faketime -f "${5:-+0d}" openssl x509 -req -in "$1.csr" -CA "$2.pem" -CAkey "$2.key" \
        -CAcreateserial -days 30 -extfile "$1.ext" -out "$1.pem"
}
own() { echo "subjectAltName=DNS:$1.corp.test"; }

root ca "/O=Corp Test/CN=Corp Test Root"
cp ca.pem ../ca.pem
root mitm-ca "/O=Somebody/CN=Somebody Else"
root second-ca "/O=Corp Test/CN=Corp Test Second Root"
root inspection-ca "/C=US/O=Zscaler Inc./OU=Zscaler Inc./CN=Zscaler Root CA"
between inspection "/C=US/O=Zscaler Inc./CN=Zscaler Intermediate Root CA (zscaler.net)" inspection-ca
between issuing "/O=Corp Test/CN=Corp Test Issuing 1" ca
between narrow "/O=Corp Test/CN=Corp Test Partners" ca "nameConstraints=critical,permitted;DNS:other.test"

leaf server ca "subjectAltName=DNS:*.corp.test,DNS:corp.test,DNS:portal.other.test" /CN=corp.test
openssl req -x509 "${key[@]}" -days 30 -subj /CN=selfsigned.corp.test -addext "$(own selfsigned)" \
    -keyout selfsigned.key -out selfsigned.pem
leaf inspected inspection "$(own inspected)"
cat inspection.pem >>inspected.pem
leaf nointermediate issuing "$(own nointermediate)\nauthorityInfoAccess=caIssuers;URI:http://pki.corp.test/issuing.cer"
leaf complete issuing "$(own complete)"
cat issuing.pem >>complete.pem
leaf expired ca "$(own expired)" "" -90d
leaf notyet ca "$(own notyet)" "" +90d
leaf wronghost ca subjectAltName=DNS:portal.other.test,DNS:www.other.test
leaf nosan ca basicConstraints=CA:FALSE
leaf constrained narrow "$(own constrained)"
cat narrow.pem >>constrained.pem
leaf clienteku ca "$(own clienteku)\nextendedKeyUsage=clientAuth"
leaf weakrsa ca "$(own weakrsa)" "" "" "-newkey rsa:1024 -nodes"
leaf rsa ca "$(own rsa)" "" "" "-newkey rsa:2048 -nodes"
openssl req "${key[@]}" -subj /CN=sha1.corp.test -keyout sha1.key -out sha1.csr
own sha1 >sha1.ext
openssl x509 -req -sha1 -in sha1.csr -CA ca.pem -CAkey ca.key -CAcreateserial -days 30 -extfile sha1.ext -out sha1.pem
leaf mitm mitm-ca "$(own mitm)"
leaf second second-ca "$(own second)"
leaf proxybadtls mitm-ca "$(own proxybadtls)"
leaf revoked ca "$(own revoked)"
leaf client ca "extendedKeyUsage=clientAuth" /CN=alice

# The list of revoked certificates.
: >index.txt
echo 01 >crlnumber
cat >ca.conf <<END
[ca]
default_ca = own
[own]
database = index.txt
crlnumber = crlnumber
default_md = sha256
default_crl_days = 30
END
openssl ca -config ca.conf -cert ca.pem -keyfile ca.key -revoke revoked.pem
openssl ca -config ca.conf -cert ca.pem -keyfile ca.key -gencrl -out crl.pem
chmod 644 ./*
