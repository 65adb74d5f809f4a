"""make.py FOLDER: accounts, go-get pages, git repositories and a module proxy's files for the lab.

Secrets are new in every run, so that a search of the disk for them means something. They hold the
characters that break URLs, configuration files and encodings.
"""

import hashlib
import json
import os
import re
import secrets
import subprocess
import sys
import zipfile

LAB = sys.argv[1]
USERS = {
    "GIT": "ana",
    "GIT404": "ana",
    "GITLAB": "oauth2",
    "TEAM": "ana",
    "ACME": "acme-bot",
    "GOPROXY": "builder",
    "PLAIN": "ana",
    "PROXY": "ana.proxy",
    "TOKEN": "bot",
    "STORE": "reader",
    # Of module proxies that take no password.
    "BEARER": "ci",
    "JFROG": "ci",
    # Of enter.sh --domain.
    "DIGEST": "dora",
    "KRB": "kate",
    "NTLM": "CORP\\nils",
    "SOCKS": "sofia",
}
DIGEST_REALM = "Corp Digest"
DATE = "1767323045 +0000"
MANY = 200


def write(path, text):
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "w", encoding="utf-8") as file:
        file.write(text)


def accounts():
    """accounts.env for the harness, etc/NAME.users for the servers."""
    words = {name: f"{secrets.token_hex(12)}@:/%#+ é?" for name in USERS}
    words["TOKEN"] = words["TOKEN"].replace(" ", "")  # go's netrc knows no quotes
    words["NTLM"] = words["NTLM"].replace("é", "")  # curl's NTLM knows ASCII only
    for name in ("BEARER", "JFROG"):  # what a header field can hold (RFC 6750)
        words[name] = secrets.token_hex(20)
    write(f"{LAB}/etc/keys.conf",
          f'map $http_authorization $has_bearer {{ default ""; "Bearer {words["BEARER"]}" yes; }}\n'
          f'map $http_x_jfrog_art_api $has_key {{ default ""; "{words["JFROG"]}" yes; }}\n')
    hashes = subprocess.run(
        ["openssl", "passwd", "-apr1", "-stdin"],
        input="".join(word + "\n" for word in words.values()),
        capture_output=True, text=True, check=True,
    ).stdout.split()
    user, word = USERS["DIGEST"], words["DIGEST"]
    digest = hashlib.md5(f"{user}:{DIGEST_REALM}:{word}".encode()).hexdigest()
    write(f"{LAB}/etc/digest.users", f"{user}:{DIGEST_REALM}:{digest}\n")
    for (name, user), hashed in zip(USERS.items(), hashes, strict=True):
        if name == "TOKEN":  # another account of git.corp.test
            with open(f"{LAB}/etc/git.users", "a", encoding="utf-8") as file:
                file.write(f"{user}:{hashed}\n")
        elif name not in ("DIGEST", "BEARER", "JFROG"):
            write(f"{LAB}/etc/{name.lower()}.users", f"{user}:{hashed}\n")
    os.umask(0o077)
    write(f"{LAB}/accounts.env", "".join(
        f"{name}_USER={user}\n{name}_SECRET={words[name]}\n" for name, user in USERS.items()))
    os.umask(0o022)


def library(module):
    return {"go.mod": f"module {module}\n\ngo 1.18\n", "lib.go": "package lib\n\nconst N = 1\n"}


def dependent(module, library_module):
    return {
        "go.mod": f"module {module}\n\ngo 1.18\n\nrequire {library_module} v1.0.0\n",
        "dep.go": f'package dep\n\nimport "{library_module}"\n\nconst M = lib.N\n',
    }


def repository(site, path, files, tag="v1.0.0"):
    bare = f"{LAB}/repos/{site}/{path}.git"
    subprocess.run(["git", "init", "--quiet", "--bare", "--initial-branch=main", bare], check=True)
    stream = f"commit refs/heads/main\ncommitter Lab <lab@corp.test> {DATE}\ndata {len(tag)}\n{tag}\n"
    for name, text in files.items():
        stream += f"M 100644 inline {name}\ndata {len(text)}\n{text}\n"
    stream += f"reset refs/tags/{tag}\nfrom refs/heads/main\n\n"
    subprocess.run(["git", "-C", bare, "fast-import", "--quiet"], input=stream.encode(), check=True)


def page(site, path, root, host):
    write(f"{LAB}/pages/{site}/{path}/index.html",
          f'<html><head><meta name="go-import" content="{host}/{root} git https://{host}/{root}.git">'
          "</head></html>\n")


def git_host(site, host):
    modules = {
        "team/lib": library(f"{host}/team/lib"),
        "team/dep": dependent(f"{host}/team/dep", f"{host}/team/lib"),
        "team/nested/x": library(f"{host}/team/nested/x"),
    }
    for path, files in modules.items():
        repository(site, path, files)
        page(site, path, path, host)
        # GitLab answers strangers with the first two elements, whatever is below them.
        page(f"{site}-strangers", path, "/".join(path.split("/")[:2]), host)
    write(f"{LAB}/pages/{site}/index.html", f"{host}\n")


def served_module(module, files, version="v1.0.0"):
    # A capital has an exclamation mark in front (https://go.dev/ref/mod#goproxy-protocol).
    escaped = re.sub("[A-Z]", lambda capital: "!" + capital[0].lower(), module)
    folder = f"{LAB}/modules/{escaped}/@v"
    write(f"{folder}/list", version + "\n")
    write(f"{folder}/{version}.info", json.dumps({"Version": version, "Time": "2026-01-02T03:04:05Z"}))
    write(f"{folder}/{version}.mod", files.get("go.mod", f"module {module}\n"))
    with zipfile.ZipFile(f"{folder}/{version}.zip", "w") as archive:
        for name, text in files.items():
            archive.writestr(zipfile.ZipInfo(f"{module}@{version}/{name}"), text)


os.environ.update(GIT_CONFIG_NOSYSTEM="1", GIT_CONFIG_GLOBAL="/dev/null")
accounts()
for site, host in (("git", "git.corp.test"), ("git404", "git404.corp.test"),
                   ("gitlab", "gitlab.corp.test"), ("orgs", "orgs.corp.test")):
    git_host(site, host)
repository("orgs", "acme/lib", library("orgs.corp.test/acme/lib"))
page("orgs", "acme/lib", "acme/lib", "orgs.corp.test")
write(f"{LAB}/pages/gitlab/user.json", json.dumps({"username": USERS["GITLAB"]}))
# No host answers to this name: what works with these modules came through the module proxy.
served_module("private.corp.test/team/lib", library("private.corp.test/team/lib"))
served_module("private.corp.test/team/dep",
              dependent("private.corp.test/team/dep", "private.corp.test/team/lib"))
served_module("private.corp.test/Team/OldLib", {"lib.go": "package lib\n"}, "v2.0.0+incompatible")
for number in range(MANY):
    module = f"many.corp.test/m{number:03}"
    served_module(module, library(module))
write(f"{LAB}/modules/index.html", "modules\n")
