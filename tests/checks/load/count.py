"""Counts the instructions that it takes to answer a request. Called by `run`, which says what it is for.

Counts do not move with the machine's load, as times do, so that a refusal can be held against an accepted request to
the instruction. They are those of a machine without SHA instructions, which valgrind does not know: there the key,
which both have to be checked for, is more of the whole.
"""

import os
import re
import subprocess
import sys

REQUESTS = 1000

# Of what an accepted request takes: nobody loads a service more with a bad key than with a good one.
MOST = 1.0
REFUSED = ["no-key", "forged", "expired", "under-scoped"]


def run(program, name, number, what):
    """Instructions of all of the program."""
    command = ["valgrind", "--tool=callgrind", f"--callgrind-out-file={os.devnull}", program, name, str(number), what]
    result = subprocess.run(command, capture_output=True, text=True)
    collected = re.search(r"Collected : (\d+)", result.stderr)
    if result.returncode != 0 or not collected:
        sys.exit(f"{' '.join(command)}\n{result.stderr}")
    return int(collected[1])


def each(program, name):
    """Instructions of an answer, without those that made the request."""
    return (run(program, name, REQUESTS, "answer") - run(program, name, REQUESTS, "ignore")) / REQUESTS


def main(program):
    accepted = each(program, "accepted")
    print(f"bare: {each(program, 'bare'):.0f} instructions an answer\naccepted: {accepted:.0f}", flush=True)
    for name in REFUSED:
        refused = each(program, name)
        print(f"{name}: {refused:.0f}, {refused / accepted:.3f} of an accepted one's", flush=True)
        if refused > accepted * MOST:
            sys.exit(f"{name}: to refuse takes more than {MOST} of what it takes to let a request through")


if __name__ == "__main__":
    main(sys.argv[1])
