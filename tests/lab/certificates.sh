#!/bin/bash
# certificates.sh FOLDER   Makes ca.pem, etc/server.{pem,key} for the hosts of the lab, and
# client.{pem,key} for those that want to see a client's.
set -euo pipefail
cd "$1"
names=$(awk '$1 ~ /^127\.77\./ { printf "%sDNS:%s", sep, $2; sep = "," }' etc/hosts)
exec 2>etc/openssl.log # it says how each key comes about
key=(-newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes)
openssl req -x509 "${key[@]}" -days 30 -subj "/O=Corp Test/CN=Corp Test Root" \
    -addext basicConstraints=critical,CA:TRUE -addext keyUsage=critical,keyCertSign \
    -keyout etc/ca.key -out ca.pem
openssl req "${key[@]}" -subj "/CN=git.corp.test" -addext "subjectAltName=$names" \
    -keyout etc/server.key -out etc/server.csr
openssl x509 -req -in etc/server.csr -CA ca.pem -CAkey etc/ca.key -CAcreateserial -days 30 \
    -copy_extensions copy -out etc/server.pem
openssl req "${key[@]}" -subj "/CN=ana.certificate" -addext extendedKeyUsage=clientAuth \
    -keyout client.key -out etc/client.csr
openssl x509 -req -in etc/client.csr -CA ca.pem -CAkey etc/ca.key -days 30 \
    -CAcreateserial -copy_extensions copy -out client.pem
