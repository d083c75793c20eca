"""Sends many requests to each example server with wrk. `run` calls it, and explains it."""

import collections
import os
import re
import subprocess
import sys
import time

CHECKS = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..")
sys.path.insert(0, os.path.join(CHECKS, "hostile"))

from drive import SECRET, SERVERS, Server, issue

STATUSES = os.path.join(CHECKS, "load", "statuses.lua")

# Name, key, path and the status that all of these requests must get.
GOOD = issue(scp=["read"])
CALLERS = [
    ("good", GOOD, "/users/7", 200),
    ("forged", GOOD[:-1] + ("1" if GOOD[-1] == "0" else "0"), "/users/7", 401),
    ("without the scope", issue(scp=["other"]), "/users/7", 403),
]

# Allowed growth: kB that an allocator may keep; descriptors of connections that are closing; threads that a server
# keeps for a while after its largest number of connections (tiny_http ends one after 5 s without work, and each new
# connection wakes one). Each burst has 8 new connections.
SLACK = (4096, 2, 16)


class Failed(Exception):
    pass


def held(server):
    """Memory in kB, descriptors, threads."""
    with open(f"/proc/{server.process.pid}/status") as file:
        status = file.read()
    memory, threads = (int(re.search(rf"{name}:\s+(\d+)", status)[1]) for name in ("VmRSS", "Threads"))
    return memory, len(os.listdir(f"/proc/{server.process.pid}/fd")), threads


def ask(server, key, path, status, seconds):
    """Sends requests, which must all get this status. Returns their number."""
    host, port = server.address
    command = ["wrk", "-t1", "-c8", f"-d{seconds}s", "-H", f"x-api-key: {key}", "-s", STATUSES]
    text = subprocess.run([*command, f"http://{host}:{port}{path}"], check=True, capture_output=True, text=True).stdout
    statuses = {int(name): int(count) for name, count in re.findall(r"^status (\d+): (\d+)$", text, re.M)}
    if set(statuses) != {status} or re.search(r"Socket errors: (?!connect 0, read 0, write 0)", text):
        raise Failed(f"all should be {status}: {statuses}\n{text}")
    return statuses[status]


def endure(server, requests, burst):
    for _, key, path, status in CALLERS:
        ask(server, key, path, status, burst)
    before, counts, turn = held(server), collections.Counter(), 0
    # All callers send equally often.
    while counts.total() < requests or turn % len(CALLERS):
        name, key, path, status = CALLERS[turn % len(CALLERS)]
        counts[name] += ask(server, key, path, status, burst)
        turn += 1
    # The server may need a moment to notice closed connections.
    for _ in range(50):
        after = held(server)
        grown = [now > then + slack for now, then, slack in zip(after, before, SLACK)]
        if not any(grown):
            return counts, before, after
        time.sleep(0.2)
    raise Failed(f"kB, descriptors and threads grow: {before}, later {after}")


def row(what, seen):
    print(f"| {what} | {seen} |", flush=True)
    with open(os.environ.get("FIGURES", "/dev/null"), "a") as file:
        file.write(f"| {what} | {seen} |\n")


def cgi(requests):
    """Sends requests to the CGI program: each request is a process."""
    program = os.path.join(os.environ["EXAMPLES"], "cgi")
    for number in range(requests):
        name, key, path, status = CALLERS[number % len(CALLERS)]
        environment = {"APIKEE_SECRET": SECRET, "REQUEST_METHOD": "GET", "PATH_INFO": path, "HTTP_X_API_KEY": key}
        answer = subprocess.run([program], env=environment, check=True, capture_output=True, text=True).stdout
        if not answer.startswith(f"Status: {status} "):
            raise Failed(f"cgi, {name}: {answer}")
    row("example cgi: requests, wrong statuses", f"{requests}, 0")


def control(fault, report):
    """Checks that the fault of the planted server is found: the report has these words."""
    examples, os.environ["EXAMPLES"] = os.environ["EXAMPLES"], os.path.dirname(os.path.abspath(__file__))
    try:
        with Server("planted", FAULT=fault, PATH=os.environ["PATH"], GOOD=GOOD, SCOPELESS=CALLERS[2][1]) as server:
            endure(server, 3000, 1)
    except Failed as failed:
        if report not in str(failed):
            raise
        print(f"planted {fault}: {str(failed).splitlines()[0]}", flush=True)
    else:
        raise Failed(f"the planted {fault} was not found")
    finally:
        os.environ["EXAMPLES"] = examples


def main(requests, burst, processes, *names):
    for fault, report in [("status", "all should be"), ("memory", "grow"), ("descriptor", "grow")]:
        control(fault, report)
    row("example servers: planted wrong status, leaks of memory and of descriptors", "3 found")
    for name in names or SERVERS:
        with Server(name) as server:
            counts, before, after = endure(server, int(requests), int(burst))
            seen = ", ".join(f"{count} {which}" for which, count in counts.items())
            row(
                f"example {name}: requests, wrong statuses; kB, descriptors, threads before and after",
                f"{counts.total()} ({seen}), 0; {before}, {after}",
            )
    cgi(int(processes))


if __name__ == "__main__":
    try:
        main(*sys.argv[1:])
    except Failed as failed:
        sys.exit(f"long-run: {failed}")
