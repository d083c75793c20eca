"""Sends many requests to each example server with wrk. `run` calls it, and explains it."""

import collections
import contextlib
import hashlib
import http.client
import multiprocessing
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
FORGED = GOOD[:-1] + ("1" if GOOD[-1] == "0" else "0")
CALLERS = [
    ("good", GOOD, "/users/7", 200),
    ("forged", FORGED, "/users/7", 401),
    ("without the scope", issue(scp=["other"]), "/users/7", 403),
]
REVOKED = issue(scp=["read", "write"])
CALLERS_OF_FLEET = [("good", GOOD, "/me", 200), ("forged", FORGED, "/me", 401), ("revoked", REVOKED, "/me", 401)]

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


def endure(server, requests, burst, callers=CALLERS):
    for _, key, path, status in callers:
        ask(server, key, path, status, burst)
    before, counts, turn = held(server), collections.Counter(), 0
    # All callers send equally often.
    while counts.total() < requests or turn % len(callers):
        name, key, path, status = callers[turn % len(callers)]
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


def report(name, counts, before, after):
    seen = ", ".join(f"{count} {which}" for which, count in counts.items())
    row(
        f"example {name}: requests, wrong statuses; kB, descriptors, threads before and after",
        f"{counts.total()} ({seen}), 0; {before}, {after}",
    )


@contextlib.contextmanager
def redis():
    """A Redis without a disk. Gives its address."""
    place = os.environ["PLACE"]
    options = ["--port", "0", "--save", "", "--appendonly", "no", "--dir", place, "--unixsocket", f"{place}/redis"]
    server = subprocess.Popen(["redis-server", *options], stdout=subprocess.DEVNULL)
    try:
        yield f"redis+unix://{place}/redis"
    finally:
        server.kill()
        server.wait()


def revoke(server, key):
    """Revokes a key. The server answers 503 until it has reached Redis."""
    fingerprint, headers = hashlib.sha256(key.encode()).hexdigest(), {"x-api-key": issue(scp=["revoke"])}
    for _ in range(50):
        connection = http.client.HTTPConnection(*server.address, timeout=10)
        connection.request("POST", "/revocations", fingerprint, headers)
        status = connection.getresponse().status
        connection.close()
        if status != 503:
            break
        time.sleep(0.2)
    if status != 202:
        raise Failed(f"fleet: the answer to a revocation is {status}")


def fleet(requests, burst):
    with redis() as address, Server("fleet", REDIS_URL=address) as server:
        revoke(server, REVOKED)
        report("fleet", *endure(server, requests, burst, CALLERS_OF_FLEET))


def call_cgi(number):
    """Sends a request to the CGI program. Returns what is wrong with the answer."""
    name, key, path, status = CALLERS[number % len(CALLERS)]
    environment = {"APIKEE_SECRET": SECRET, "REQUEST_METHOD": "GET", "PATH_INFO": path, "HTTP_X_API_KEY": key}
    program = [os.path.join(os.environ["EXAMPLES"], "cgi")]
    answer = subprocess.run(program, env=environment, check=True, capture_output=True, text=True).stdout
    return None if answer.startswith(f"Status: {status} ") else f"cgi, {name}: {answer}"


def cgi(requests):
    """Each request is a process."""
    with multiprocessing.Pool() as pool:
        for wrong in pool.imap_unordered(call_cgi, range(requests), 100):
            if wrong:
                raise Failed(wrong)
    row("example cgi: requests, wrong statuses", f"{requests}, 0")


def control(fault, words):
    """Checks that the fault of the planted server is found: the report has these words."""
    examples, os.environ["EXAMPLES"] = os.environ["EXAMPLES"], os.path.dirname(os.path.abspath(__file__))
    try:
        with Server("planted", FAULT=fault, PATH=os.environ["PATH"], GOOD=GOOD, SCOPELESS=CALLERS[2][1]) as server:
            endure(server, 3000, 1)
    except Failed as failed:
        if words not in str(failed):
            raise
        print(f"planted {fault}: {str(failed).splitlines()[0]}", flush=True)
    else:
        raise Failed(f"the planted {fault} was not found")
    finally:
        os.environ["EXAMPLES"] = examples


def main(requests, burst, processes, *names):
    for fault, words in [("status", "all should be"), ("memory", "grow"), ("descriptor", "grow")]:
        control(fault, words)
    row("example servers: planted wrong status, leaks of memory and of descriptors", "3 found")
    for name in names or SERVERS:
        with Server(name) as server:
            report(name, *endure(server, int(requests), int(burst)))
    fleet(int(requests), int(burst))
    cgi(int(processes))


if __name__ == "__main__":
    try:
        main(*sys.argv[1:])
    except Failed as failed:
        sys.exit(f"long-run: {failed}")
