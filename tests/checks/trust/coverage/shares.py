"""Computes the shares of lines and branches of `src` that were reached, from the export of `llvm-cov`."""

import json
import os
import re
import sys
from collections import defaultdict
from pathlib import Path

ROOT = Path(__file__).resolve().parents[4]

# The shell: code that needs an allocator, a socket or a clock.
SHELL = ("client/", "web/", "network.rs")
TOOLS = ("bin/", "emulator/")


def name(path):
    """The path inside `src`. None for other files, and for files that are tests."""
    try:
        own = str(Path(path).resolve().relative_to(ROOT / "src"))
    except ValueError:
        return None
    return None if Path(own).name == "tests.rs" else own


def test_lines(own):
    """The number of the first line of the tests in a file."""
    text = (ROOT / "src" / own).read_text()
    tests = re.search(r"^ *#\[cfg\((?:all\()?test\b.*\]\n(?: *#.*\n)* *mod \w+ \{$", text, re.M)
    return text.count("\n", 0, tests.start() if tests else len(text)) + 1


class Reached:
    """For each file, how often each line and each side of each branch was reached."""

    def __init__(self, folder, measured):
        self.lines, self.branches = defaultdict(dict), defaultdict(dict)
        own, end = None, 0
        for line in (folder / f"{measured}.lcov").read_text().splitlines():
            if line.startswith("SF:"):
                own = name(line[3:])
                end = test_lines(own) if own else 0
            elif line.startswith("DA:") and own:
                number, count = map(int, line[3:].split(",")[:2])
                if number < end:
                    self.lines[own][number] = max(count, self.lines[own].get(number, 0))
        for file in json.loads((folder / f"{measured}.json").read_text())["data"][0]["files"]:
            own = name(file["filename"])
            end = test_lines(own) if own else 0
            for branch in file.get("branches", []):
                place, counts = tuple(branch[:4]), branch[4:6]
                if own and place[0] < end:
                    for side, count in enumerate(counts):
                        at = (*place, side)
                        self.branches[own][at] = max(count, self.branches[own].get(at, 0))

    def share(self, reached, part):
        counts = [count for own, all in reached.items() if part(own) for count in all.values()]
        return sum(count > 0 for count in counts), len(counts)

    def missed(self, part):
        for own in sorted(filter(part, self.lines)):
            lines = sorted(number for number, count in self.lines[own].items() if count == 0)
            sides = sorted({at[0] for at, count in self.branches[own].items() if count == 0})
            if lines or sides:
                yield f"src/{own}: lines {lines}, branches of lines {sides}"


def kernel(own):
    return not own.startswith(SHELL + TOOLS)


def shell(own):
    return own.startswith(SHELL)


def programs(file):
    for line in Path(file).read_text().splitlines():
        program = json.loads(line).get("executable") if line.startswith("{") else None
        if program:
            print(program)


def main():
    if sys.argv[1] == "--programs":
        return programs(sys.argv[2])
    folder = Path(sys.argv[1])
    rows, missed = [], []

    def row(what, share, least=None):
        hit, all = share
        percent = 100 * hit / max(all, 1)
        print(f"{what}: {percent:.2f} % ({hit} of {all})")
        rows.append(f"| {what} | {percent:.2f} % ({hit} of {all}) |")
        if least is not None and (percent < least or all == 0):
            missed.append(f"{what}: less than {least} %")

    if (folder / "tests.json").exists():
        tests = Reached(folder, "tests")
        row("lines of the kernel, all tests", tests.share(tests.lines, kernel), 98)
        row("branches of the kernel, all tests", tests.share(tests.branches, kernel), 95)
        row("lines of the shell, all tests", tests.share(tests.lines, shell), 92)
        row("branches of the shell, all tests", tests.share(tests.branches, shell))
        (folder / "missed.txt").write_text("\n".join(tests.missed(lambda own: True)) + "\n")
        print(f"lines that no test reaches: {folder}/missed.txt")
    corpora, nothing = Reached(folder, "corpora"), Reached(folder, "nothing")
    row("lines of the kernel, fuzz corpora alone", corpora.share(corpora.lines, kernel))
    row("branches of the kernel, fuzz corpora alone", corpora.share(corpora.branches, kernel))
    (folder / "missed-by-corpora.txt").write_text("\n".join(corpora.missed(kernel)) + "\n")
    hit, all = nothing.share(nothing.lines, kernel)
    rows.append(f"| lines of the kernel, a program that does nothing | {hit} of {all} |")
    if hit or not all:
        missed.append("the control: a program that does nothing has reached lines")

    with open(os.environ.get("FIGURES", os.devnull), "a") as figures:
        figures.write("## Coverage\n\nThe kernel is `src` without `client`, `web`, `network.rs`, `emulator` and `bin`; the shell is `client`, `web` and `network.rs`.\n\n")
        figures.write("\n".join(["| | |", "|---|---|", *rows]) + "\n")
    if missed:
        sys.exit("coverage: " + "; ".join(missed))


main()
