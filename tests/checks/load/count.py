"""Counts the instructions of an answer to a request. `run` calls it, and explains it.

Unlike times, counts do not depend on the machine's load, so a refusal can be compared exactly with an accepted request.
valgrind does not know SHA instructions, so the counts are for a machine without them. On such a machine the check of
the key, which both requests need, is a larger part of the whole.
"""

import os
import re
import subprocess
import sys

REQUESTS = 1000

# The limit, relative to an accepted request. A bad key must not load a service more than a good key.
MOST = 1.0
REFUSED = ["no-key", "forged", "expired", "under-scoped"]


def run(program, name, number, what):
    """The instructions of the whole program."""
    command = ["valgrind", "--tool=callgrind", f"--callgrind-out-file={os.devnull}", program, name, str(number), what]
    result = subprocess.run(command, capture_output=True, text=True)
    collected = re.search(r"Collected : (\d+)", result.stderr)
    if result.returncode != 0 or not collected:
        sys.exit(f"{' '.join(command)}\n{result.stderr}")
    return int(collected[1])


def each(program, name):
    """The instructions of one answer, without those for making the request."""
    return (run(program, name, REQUESTS, "answer") - run(program, name, REQUESTS, "ignore")) / REQUESTS


def main(program):
    accepted = each(program, "accepted")
    print(f"bare: {each(program, 'bare'):.0f} instructions an answer\naccepted: {accepted:.0f}", flush=True)
    for name in REFUSED:
        refused = each(program, name)
        print(f"{name}: {refused:.0f}, {refused / accepted:.3f} of an accepted one's", flush=True)
        if refused > accepted * MOST:
            sys.exit(f"{name}: a refusal takes more than {MOST} of the instructions of an accepted request")


if __name__ == "__main__":
    main(sys.argv[1])
