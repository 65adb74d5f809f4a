#!/bin/bash
# certificates.sh FOLDER   Makes ca.pem, and etc/server.{pem,key} for the hosts of the lab.
set -euo pipefail
cd "$1"
names=$(awk '$1 ~ /^127\.77\./ { printf "%sDNS:%s", sep, $2; sep = "," }' etc/hosts)
key=(-newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes)
openssl req -x509 "${key[@]}" -days 30 -subj "/O=Corp Test/CN=Corp Test Root" \
    -addext basicConstraints=critical,CA:TRUE -addext keyUsage=critical,keyCertSign \
    -keyout etc/ca.key -out ca.pem 2>etc/openssl.log
openssl req "${key[@]}" -subj "/CN=git.corp.test" -addext "subjectAltName=$names" \
    -keyout etc/server.key -out etc/server.csr 2>>etc/openssl.log
openssl x509 -req -in etc/server.csr -CA ca.pem -CAkey etc/ca.key -CAcreateserial -days 30 \
    -copy_extensions copy -out etc/server.pem 2>>etc/openssl.log
