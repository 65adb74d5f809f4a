"""directory.py COMMAND: the Active Directory of the lab, a real Samba domain controller.

    provision               makes the domain and its users; before the controller starts
    bad-passwords USER      prints badPwdCount
    locked USER             prints yes or no
    password USER           sets the password that standard input holds, and unlocks
    unlock USER             forgets failed logins

The commands for a running domain work on its database as root, and leave no trace of a login.
For Debian's own python3, which has samba's modules.
"""

import logging
import os
import sys

import ldb
import samba.dckeytab  # noqa: F401  teaches Net to export keys
from samba.auth import system_session
from samba.dsdb import DS_DOMAIN_FUNCTION_2008_R2
from samba.net import Net
from samba.param import LoadParm
from samba.provision import provision
from samba.samdb import SamDB

LAB = os.environ["GOCRED_LAB"]
CONFIGURATION = f"{LAB}/ad/etc/smb.conf"
ADDRESS = "127.77.0.88"
SERVICES = ["HTTP/proxy-spnego.corp.test", "HTTP/proxy-gss.corp.test"]
LOCK_OUT_AFTER = "5"

# As administrators of large networks set it: NTLMv2 or nothing, and yesterday's password is wrong
# today. Only the services that a login needs.
SETTINGS = f"""[global]
	server role = active directory domain controller
	realm = AD.CORP.TEST
	workgroup = CORP
	netbios name = DC1
	server services = ldap, cldap, kdc, winbindd
	prefork children = 1
	interfaces = {ADDRESS}/8
	bind interfaces only = yes
	tls enabled = no
	ntlm auth = ntlmv2-only
	old password allowed period = 0
	private dir = {LAB}/ad/private
	state directory = {LAB}/ad/state
	cache directory = {LAB}/ad/cache
	lock directory = {LAB}/ad
	pid directory = {LAB}/run
	log level = 1 auth_audit:3
"""


def account(name):
    with open(f"{LAB}/accounts.env", encoding="utf-8") as file:
        pairs = dict(line.rstrip("\n").split("=", 1) for line in file)
    return pairs[f"{name}_USER"], pairs[f"{name}_SECRET"]


def configuration():
    parameters = LoadParm()
    parameters.load(CONFIGURATION)
    return parameters


def database(parameters):
    return SamDB(session_info=system_session(), lp=parameters)


def make_domain():
    logging.basicConfig(level=logging.INFO, format="%(relativeCreated)5d ms  %(message)s")
    os.mkdir(f"{LAB}/ad", 0o755)
    provision(
        logging.getLogger(), system_session(), targetdir=f"{LAB}/ad", realm="AD.CORP.TEST",
        domain="CORP", hostname="dc1", hostip=ADDRESS, dns_backend="NONE", batch_mode=True,
        serverrole="active directory domain controller",
        dom_for_fun_level=DS_DOMAIN_FUNCTION_2008_R2,
    )
    # What was written there is the machine's own configuration, with the domain's folders added.
    with open(CONFIGURATION, "w", encoding="utf-8") as file:
        file.write(SETTINGS)


def fill_domain():
    parameters = configuration()
    directory = database(parameters)
    # No history: a directory does not count a failed login with one of the last two passwords.
    replace(directory, directory.domain_dn(), {
        "lockoutThreshold": LOCK_OUT_AFTER, "pwdHistoryLength": "0", "minPwdAge": "0",
        "maxPwdAge": str(-(1 << 63)),
    })
    user, secret = account("NTLM")
    directory.newuser(user.partition("\\")[2], secret)
    # The account that the proxies' service tickets belong to; nobody knows its password.
    directory.newuser("proxies", os.urandom(24).hex() + "Aa!")
    replace(directory, dn(directory, "proxies"), {"servicePrincipalName": SERVICES})
    for service in SERVICES:
        Net(None, parameters).export_keytab(keytab=f"{LAB}/etc/spnego.keytab", principal=service)


def entry(directory, user, attributes):
    found = directory.search(
        expression=f"(sAMAccountName={ldb.binary_encode(user)})", attrs=attributes)
    return found[0]


def dn(directory, user):
    return entry(directory, user, []).dn


def replace(directory, where, values):
    message = ldb.Message(where if isinstance(where, ldb.Dn) else ldb.Dn(directory, where))
    for name, value in values.items():
        message[name] = ldb.MessageElement(value, ldb.FLAG_MOD_REPLACE, name)
    directory.modify(message)


def number(directory, user, attribute):
    return int(str(entry(directory, user, [attribute]).get(attribute, 0)))


def main(command, user=None):
    if command == "provision":
        make_domain()
        fill_domain()
        return
    directory = database(configuration())
    by_name = f"(sAMAccountName={ldb.binary_encode(user)})"
    if command == "bad-passwords":
        print(number(directory, user, "badPwdCount"))
    elif command == "locked":
        print("yes" if number(directory, user, "lockoutTime") else "no")
    elif command == "password":
        directory.setpassword(by_name, sys.stdin.read())
        directory.unlock_account(by_name)
    elif command == "unlock":
        directory.unlock_account(by_name)
    else:
        sys.exit(__doc__)


main(*sys.argv[1:])
