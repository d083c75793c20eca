#!/usr/bin/env python3
"""Checks that the README has the same stack limits as the budget: `readme.py README BUDGET`."""
import pathlib
import re
import sys
import tomllib

_, _, readme = pathlib.Path(sys.argv[1]).read_text(encoding="utf-8").partition("\n## Stack\n")
rows = re.findall(r"^\| `(apikee_\w+)` \| ([\d,]+) \|$", readme, re.M)
said = {name: int(number.replace(",", "")) for name, number in rows}
limits = tomllib.loads(pathlib.Path(sys.argv[2]).read_text())["at-most"]
held = {name.split(".")[1]: limit for name, limit in limits.items() if name.startswith("cortex-m4.")}
header = set(re.findall(r"\b(apikee_\w+)\(", pathlib.Path("apikee.h").read_text()))
# Functions for lengths are only arithmetic, and need no stack frame.
wrong = sorted(said.items() ^ held.items()) + sorted(header - held.keys() - {name for name in header if name.endswith("_len")})
for line in wrong:
    print("README and budget differ:", line)
sys.exit(bool(wrong))
