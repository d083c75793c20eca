"""Helpers of `run`: flash sizes, a planted wrong vector, and the comparison of all figures with the budget.

size NAME ELF               prints the bytes that an image takes in flash
break-vector FROM TO        copies the vectors, with a wrong tenant in the first one
check COMPILER FIGURES BUDGET [--update]
"""

import json
import pathlib
import struct
import sys
import tomllib

# Two runs with the same compiler give the same figures. A change of the code moves some figures a little.
TOLERANCE = 0.02
MARK = "# Measured figures, by compiler. `--update` writes them.\n"


def size(name, elf):
    data = pathlib.Path(elf).read_bytes()
    assert data[:6] == b"\x7fELF\x01\x01", "a 32-bit little-endian ELF"
    (headers,) = struct.unpack_from("<I", data, 28)
    entry, count = struct.unpack_from("<HH", data, 42)
    load, ram = 1, 0x2000_0000
    segments = (struct.unpack_from("<8I", data, headers + at * entry) for at in range(count))
    print(f"{name}.flash = {sum(segment[4] for segment in segments if segment[0] == load and segment[2] < ram)}")


def break_vector(source, to):
    for path in pathlib.Path(source).glob("*.json"):
        vectors = json.loads(path.read_text())
        if path.name == "keys.json":
            first = vectors["vectors"][0]
            assert first["name"] == "json-tenant-0"
            first["expect"]["tenant"] += "!"
        (pathlib.Path(to) / path.name).write_text(json.dumps(vectors))


def read(figures):
    lines = (line.split(" = ") for line in pathlib.Path(figures).read_text().splitlines())
    return {name: int(number) for name, number in lines}


def check(compiler, figures, budget, update=None):
    seen = read(figures)
    text = pathlib.Path(budget).read_text()
    table = tomllib.loads(text)
    wrong = []

    for name, limit in table["at-most"].items():
        print(f"{name}: {seen[name]:,} of {limit:,}")
        if seen[name] > limit:
            wrong.append(f"{name} is {seen[name]:,}, but the budget is at most {limit:,}")

    if update:
        table["seen"][compiler] = seen
        sections = (
            "".join([f"\n[seen.{json.dumps(of)}]\n"] + [f"{json.dumps(name)} = {n}\n" for name, n in numbers.items()])
            for of, numbers in sorted(table["seen"].items())
        )
        pathlib.Path(budget).write_text(text.split(MARK)[0] + MARK + "".join(sections))
    elif compiler in table["seen"]:
        known = table["seen"][compiler]
        for name in sorted(known.keys() ^ seen.keys()):
            wrong.append(f"{name} is only in the budget or only in the figures: `--update` fixes this")
        for name in known.keys() & seen.keys():
            if abs(seen[name] - known[name]) > TOLERANCE * known[name]:
                wrong.append(f"{name} is {seen[name]:,}, but was {known[name]:,}")
    else:
        print(f"the budget has no figures of {compiler} to compare with: `--update` writes them")

    for line in sorted(wrong):
        print("BUDGET", line)
    sys.exit(bool(wrong))


commands = {"size": size, "break-vector": break_vector, "check": check}
commands[sys.argv[1]](*sys.argv[2:])
