#!/usr/bin/env python3
"""Runs a command in a terminal of 96 columns and writes what it shows as an SVG picture.

    picture.py TITLE COMMAND…
"""

import fcntl
import html
import os
import pty
import re
import struct
import sys
import termios

COLUMNS = 96
# What a terminal calls them: https://en.wikipedia.org/wiki/ANSI_escape_code#SGR
STYLES = {
    "0": "",
    "1": "s",
    "2": "f",
    "32": "g",
    "1;31": "b",
    "1;33": "w",
}
CSS = """
svg { color-scheme: light dark }
rect { fill: #f6f8fa; stroke: #d0d7de }
text { font: 13px ui-monospace, Menlo, Consolas, monospace; white-space: pre; fill: #1f2328 }
.s { font-weight: 600 } .f { fill: #59636e } .g { fill: #1a7f37 }
.b { fill: #cf222e; font-weight: 600 } .w { fill: #9a6700; font-weight: 600 }
@media (prefers-color-scheme: dark) {
rect { fill: #0d1117; stroke: #3d444d } text { fill: #f0f6fc } .f { fill: #9198a1 }
.g { fill: #3fb950 } .b { fill: #f85149 } .w { fill: #d29922 } }
"""


def shown(command):
    """Returns what a command shows in a terminal."""
    pid, terminal = pty.fork()
    if pid == 0:
        # The size is there before the command looks.
        fcntl.ioctl(1, termios.TIOCSWINSZ, struct.pack("HHHH", 50, COLUMNS, 0, 0))
        os.execvp(command[0], command)
    out = b""
    while True:
        try:
            more = os.read(terminal, 65536)
        except OSError:  # Linux says EIO when the last program has closed it.
            break
        if not more:
            break
        out += more
    os.waitpid(pid, 0)
    return out.decode().replace("\r\n", "\n")


def line(text, row):
    """Returns a line of the picture."""
    spans, style = [], ""
    for index, part in enumerate(re.split(r"\x1b\[([0-9;]*)m", text)):
        if index % 2:
            style = STYLES.get(part, "")
        elif part:
            kind = f' class="{style}"' if style else ""
            spans.append(f"<tspan{kind}>{html.escape(part)}</tspan>")
    return f'<text x="16" y="{28 + row * 19}" xml:space="preserve">{"".join(spans)}</text>'


def main():
    title, command = sys.argv[1], sys.argv[2:]
    lines = [f"\x1b[2m$\x1b[0m \x1b[1m{title}\x1b[0m"] + shown(command).rstrip().split("\n")
    # What the progress line erased is not there any more.
    lines = [text.rsplit("\x1b[K", 1)[-1] for text in lines]
    # A command stays on one line, however long: it is copied.
    longest = max(len(re.sub(r"\x1b\[[0-9;]*m", "", text)) for text in lines)
    width, height = 32 + int(max(COLUMNS, longest) * 7.85), 28 + len(lines) * 19
    print(f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}">')
    print(f"<title>{html.escape(title)}</title>\n<style>{CSS}</style>")
    print(f'<rect x="0.5" y="0.5" width="{width - 1}" height="{height - 1}" rx="8"/>')
    for row, text in enumerate(lines):
        print(line(text, row))
    print("</svg>")


if __name__ == "__main__":
    main()
