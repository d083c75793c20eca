"""Runs all comparisons with the published SDKs, prints the results, and fails if there is a difference."""

import signal
import sys
import time

import keys
import server


def table(head, rows):
    cells = [[str(cell) for cell in row] for row in [head, *rows]]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    lines = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths)).rstrip() for row in cells]
    return "\n".join([lines[0], "  ".join("-" * width for width in widths), *lines[1:]])


def main():
    # Exits normally, so that the started processes are stopped.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("stopped"))
    wrong = []
    for title, part in (("Keys", keys), ("Server mode", server)):
        start = time.monotonic()
        found, rows = part.main()
        wrong += found
        print(f"\n{title} ({time.monotonic() - start:.0f} s)\n\n{table(part.HEAD, rows)}\n\n{part.LEGEND}", flush=True)
    if wrong:
        sys.exit("\nNot as expected:\n" + "\n".join(difference[:2000] for difference in wrong))


main()
