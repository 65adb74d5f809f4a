"""readers.py JSONL OCSF CEF SYSLOG: fails unless what others read of each file is what the records say."""

import json
import sys

import pycef
from jsonschema.validators import validator_for
from ocsf_json_schema import OcsfJsonSchemaEmbedded, get_ocsf_schema
from syslog_rfc5424_parser import SyslogMessage

CLASSES = {6003: "api_activity", 3002: "authentication"}


def lines(file):
    with open(file, encoding="utf-8") as text:
        return text.read().splitlines()


def same(what, found, expected):
    assert found == expected, f"{what}: {found!r} is not {expected!r}"


def plain(text, special):
    """Takes the backslashes away: neither parser does."""
    for char in special:
        text = text.replace("\\" + char, char)
    return text.replace("\\\\", "\\")


records = [json.loads(line) for line in lines(sys.argv[1])]
ocsf, cef, syslog = (lines(file) for file in sys.argv[2:5])
schema = OcsfJsonSchemaEmbedded(get_ocsf_schema(version="1.6.0"))
for record, event in zip(records, map(json.loads, ocsf), strict=True):
    rules = schema.get_class_schema(CLASSES[event["class_uid"]], [])
    validator_for(rules)(rules).validate(event)
    same("type", event["type_uid"], event["class_uid"] * 100 + event["activity_id"])
    same("class", event["class_uid"], 3002 if record["caller"]["via"] == "proxy" else 6003)
    same("host", event["dst_endpoint"]["hostname"], record["target"]["host"])
for record, line in zip(records, cef, strict=True):
    fields = pycef.parse(line)
    same("user", plain(fields["duser"], "="), record["account"]["user"])
    same("host", fields["dhost"], record["target"]["host"])
    same("mac", fields["secretMac"], record["account"]["mac"])
    if record["target"]["path"]:
        same("path", plain(fields["request"], "=").split("/", 3)[3], record["target"]["path"])
for record, line in zip(records, syslog, strict=True):
    message = SyslogMessage.parse(line).as_dict()
    same("facility", (message["facility"], message["severity"]), ("authpriv", "info"))
    fields = message["sd"]["gocred@32473"]
    same("time", message["timestamp"], record["at"])
    same("user", plain(fields["user"], '"]'), record["account"]["user"])
    same("path", plain(fields.get("path", ""), '"]'), record["target"]["path"] or "")
    same("chain", fields["chain"].split(" < "), record["caller"]["chain"])
