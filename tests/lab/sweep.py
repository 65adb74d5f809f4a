"""sweep.py ACCOUNTS PATH...: looks for the secrets of accounts.env in files, folders and file names.

Each secret begins with 24 random hexadecimal digits, which every encoding that we look for keeps
recognisable: as they are (so also percent-encoded, quoted, escaped), in UTF-16, and in base64 at
each of the three places where they can start, whatever stands before them (`user:`, for example).
Prints `NAME as FORM in PATH` for each find; exits 1 then. It never prints a secret.
"""

import base64
import os
import stat
import sys

DIGITS = 24


def forms(core):
    yield "text", core
    yield "UTF-16", core.decode().encode("utf-16-le")
    yield "UTF-16", core.decode().encode("utf-16-be")
    for shift in range(3):
        encoded = base64.b64encode(b"\0" * shift + core)
        # The first and the last characters hold bits of the neighbours as well.
        inner = encoded[(0, 2, 3)[shift]:-4]
        yield "base64", inner
        if inner != (url_safe := inner.translate(bytes.maketrans(b"+/", b"-_"))):
            yield "base64", url_safe


def needles(accounts):
    with open(accounts, encoding="utf-8") as file:
        for line in file:
            name, _, value = line.rstrip("\n").partition("=")
            if name.endswith("_SECRET"):
                for form, needle in forms(value[:DIGITS].encode()):
                    yield f"{name} as {form}", needle


def files(path):
    if not os.path.isdir(path):
        yield path
        return

    def fail(error):
        raise error

    for folder, folders, names in os.walk(path, onerror=fail):
        for name in folders + names:
            yield os.path.join(folder, name)


def contents(path):
    mode = os.lstat(path).st_mode
    if stat.S_ISLNK(mode):
        return os.readlink(path).encode(errors="surrogateescape")
    if stat.S_ISREG(mode):
        with open(path, "rb") as file:
            return file.read()
    return b""


def look(path):
    """What a secret could stand in. A file that went away while we walked its folder has nothing."""
    try:
        return os.fsencode(path) + b"\0" + contents(path)
    except FileNotFoundError:
        if path in sys.argv:
            raise
        return b""


wanted = list(needles(sys.argv[1]))
assert wanted, "no secret to look for"
swept, finds = 0, []
for path in (file for start in sys.argv[2:] for file in files(start)):
    text = look(path)
    unwrapped = text.replace(b"\n", b"")  # base64 comes in lines
    swept += 1
    finds += [f"{what} in {path}" for what, needle in wanted if needle in unwrapped]
for find in finds:
    print(find)
assert swept, "nothing to look at"
print(f"{swept} files, {len(finds)} finds")
sys.exit(1 if finds else 0)
