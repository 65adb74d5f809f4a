"""wheel.py FOLDER   Writes corp_kit-1.0-py3-none-any.whl, the smallest package that pip installs."""

import os, sys, zipfile

about = "corp_kit-1.0.dist-info/"
with zipfile.ZipFile(os.path.join(sys.argv[1], "corp_kit-1.0-py3-none-any.whl"), "w") as wheel:
    wheel.writestr("corp_kit.py", "ANSWER = 42\n")
    wheel.writestr(about + "METADATA", "Metadata-Version: 2.1\nName: corp-kit\nVersion: 1.0\n")
    wheel.writestr(about + "WHEEL", "Wheel-Version: 1.0\nGenerator: wheel.py\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
    wheel.writestr(about + "RECORD", f"corp_kit.py,,\n{about}METADATA,,\n{about}WHEEL,,\n{about}RECORD,,\n")
