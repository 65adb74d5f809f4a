#!/bin/sh
# readers.sh   Prints the path of a Python that reads what `gocred audit export` writes: OCSF's schema, and
# parsers of CEF and RFC 5424, from PyPI in the user's cache. Nothing else on the machine learns of them.
set -eu
cache=${XDG_CACHE_HOME:-$HOME/.cache}/gocred/readers-1
[ -e "$cache/complete" ] || {
    echo "installing readers of audit records from PyPI into $cache" >&2
    rm -rf "$cache"
    mkdir -p "$(dirname "$cache")"
    python3 -m venv "$cache"
    "$cache/bin/python3" -m pip install --quiet --disable-pip-version-check \
        jsonschema==4.26.0 ocsf-json-schema==1.2.0 pycef==1.11 syslog-rfc5424-parser==0.3.2 >&2
    touch "$cache/complete"
}
echo "$cache/bin/python3"
