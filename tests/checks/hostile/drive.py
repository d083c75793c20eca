"""Sends hostile inputs to servers. `run` calls it, and explains it."""

import hashlib
import hmac
import json
import os
import re
import resource
import signal
import socket
import subprocess
import sys
import threading
import time
import traceback

from inputs import INPUTS, connect, get

SECRET = "a secret of the hostile inputs"

# Timeout of the servers that have one, in seconds.
TIMEOUT = 2
# Time in which all other clients must be answered, in seconds.
PROMPT = 1

# Memory that a server may use in addition to its idle memory, in kB.
MEMORY = 8 * 1024
# The same, for each connection.
MEMORY_EACH = 64

# Others may wait because the machine is busy. If they wait in each attempt, the server is the cause.
ATTEMPTS = 3

LEADING = "oxhttp"
SERVERS = ["oxhttp", "axum", "tiny_http", "rouille"]

# This program needs a descriptor for each of its connections.
resource.setrlimit(resource.RLIMIT_NOFILE, (resource.getrlimit(resource.RLIMIT_NOFILE)[1],) * 2)


def base62(data):
    number, text = int.from_bytes(data, "big"), ""
    while number:
        number, digit = divmod(number, 62)
        text = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"[digit] + text
    return text


def issue(secret=SECRET, **claims):
    """A key (docs/WIRE.md, "Keys"). Its signature does not begin with a zero byte."""
    for number in range(1000):
        payload = json.dumps({"id": f"{number}", "tid": "acme-corp", **claims}, separators=(",", ":")).encode()
        signature = hmac.digest(secret.encode(), payload, hashlib.sha256)
        if signature[0]:
            return f"apikee_{base62(payload)}.{base62(signature)}"


class Server:
    """A running example."""

    def __init__(self, name, descriptors=None, stderr="file", **environment):
        program = os.path.join(os.environ["EXAMPLES"], name)
        environment = {"APIKEE_SECRET": SECRET, "TIMEOUT_SECONDS": f"{TIMEOUT}", **environment}
        limit = (lambda: resource.setrlimit(resource.RLIMIT_NOFILE, (descriptors,) * 2)) if descriptors else None
        self.log = open(os.path.join(os.environ["PLACE"], name), "w+")
        self.process = subprocess.Popen(
            [program, "127.0.0.1:0"],
            env=environment,
            stdout=subprocess.PIPE,
            stderr=self.log if stderr == "file" else subprocess.PIPE,
            preexec_fn=limit,
        )
        if stderr == "closed":
            self.process.stderr.close()
        listening = self.process.stdout.readline().decode().strip()
        host, _, port = listening.removeprefix("listening on http://").partition(":")
        if not port:
            sys.exit(f"{name} does not start: {listening}")
        self.address, self.key = (host, int(port)), issue(scp=["read"])
        self.before, self.descriptors = self.memory(), self.open()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.kill()
        self.process.wait()
        self.process.stdout.close()
        if self.process.stderr:
            self.process.stderr.close()
        self.log.close()

    def memory(self):
        """The largest resident memory, in kB."""
        with open(f"/proc/{self.process.pid}/status") as status:
            resident = re.search(r"VmHWM:\s+(\d+)", status.read())
        # A process that has just ended has no such line.
        return int(resident[1]) if resident else 0

    def open(self):
        """The number of descriptors."""
        return len(os.listdir(f"/proc/{self.process.pid}/fd"))

    def ended(self):
        """The exit code in the form of a shell. `None` if it still runs."""
        code = self.process.poll()
        return 128 - code if code is not None and code < 0 else code

    def asks(self, kept=None):
        """Seconds that a good request takes, on a new connection or on `kept`. `None` without an answer in time."""
        begin = time.monotonic()
        try:
            client = kept or socket.create_connection(self.address, timeout=PROMPT)
            client.settimeout(PROMPT)
            client.sendall(get(self))
            text = b""
            while b"acme-corp" not in text:
                piece = client.recv(65536)
                if not piece:
                    return None
                text += piece
            took = time.monotonic() - begin
            return took if text.startswith(b"HTTP/1.1 200") and took <= PROMPT else None
        except OSError:
            return None
        finally:
            if not kept and "client" in locals():
                client.close()


class Others(threading.Thread):
    """All other clients: sends requests repeatedly, and remembers the slowest answer."""

    def __init__(self, server, kept):
        super().__init__()
        self.server, self.kept, self.slowest, self.served = server, kept, 0.0, True
        self.over = threading.Event()

    def run(self):
        while True:
            took = self.server.asks(self.kept)
            self.served = self.served and took is not None
            self.slowest = max(self.slowest, took or PROMPT)
            if self.over.wait(0.05) or not self.served:
                break


def attempt(name, hostile):
    """Sends an input to a server. Returns what the client got, and all faults."""
    with Server(name, hostile.descriptors, hostile.stderr) as server:
        # Without descriptors the server cannot accept new connections. So in this case the others connect before.
        kept = connect(server) if hostile.descriptors else None
        others, memory = Others(server, kept), 0
        others.start()
        begin = time.monotonic()
        try:
            got = hostile.send(server)
        except OSError:
            got = "nothing"
        # Waits a moment, because late answers can also delay the others.
        time.sleep(max(0, 0.3 - (time.monotonic() - begin)))
        others.over.set()
        others.join()
        if kept:
            kept.close()

        faults = []
        if server.ended() is None:
            if not others.served:
                faults.append("others wait")
            memory = server.memory() - server.before
            if memory > MEMORY + MEMORY_EACH * hostile.connections:
                faults.append("memory grows")
            end = time.monotonic() + TIMEOUT + PROMPT
            while server.asks() is None and server.ended() is None:
                if time.monotonic() > end:
                    faults.append("never recovers, and goes on running")
                    break
            # The clients have closed all connections.
            end = time.monotonic() + TIMEOUT + PROMPT
            while server.ended() is None and server.open() > server.descriptors:
                if time.monotonic() > end:
                    faults.append("keeps a connection for ever")
                    break
                time.sleep(0.05)
        if server.ended() is not None:
            code = server.ended()
            faults.append(f"ends with code {code}" + ("" if code else ", unnoticed"))
        if got.endswith("*"):
            faults.append("the hidden request is answered")
        return got.rstrip("*"), faults, f"others {others.slowest * 1000:.0f} ms, memory +{memory / 1024:.0f} MB"


def drive(name, chosen):
    """Returns the cells of a server's column, and the inputs that it does not survive."""
    cells, failed = [], []
    for hostile in chosen:
        for _ in range(ATTEMPTS):
            got, faults, figures = attempt(name, hostile)
            if faults != ["others wait"]:
                break
        print(f"{name}: {hostile.name}: {got}; {figures}{''.join(f'; **{fault}**' for fault in faults)}", flush=True)
        cells.append("; ".join([got, *(f"**{fault}**" for fault in faults)]))
        if faults:
            failed.append(hostile.name)
    return cells, failed


def table(columns):
    lines = [f"| the client sends | {' | '.join(f'`{name}`' for name in columns)} |", "|---" * (len(columns) + 1) + "|"]
    rows = zip(INPUTS, *columns.values())
    return "\n".join(lines + [f"| {hostile.name} | {' | '.join(cells)} |" for hostile, *cells in rows]) + "\n"


def main(update, names, words):
    chosen = [hostile for hostile in INPUTS if not words or any(word in hostile.name for word in words)]
    if not chosen:
        sys.exit("no input has such a name")
    columns, lost = {}, {}
    for name in names:
        columns[name], lost[name] = drive(name, chosen)
    if update:
        with open(update, "w") as file:
            file.write(table(columns))
    if lost.get(LEADING):
        sys.exit(f"{LEADING} does not survive: {', '.join(lost[LEADING])}")


def end(failure):
    """A thread that fails would be missed: the others would go on, and find nothing."""
    traceback.print_exception(failure.exc_type, failure.exc_value, failure.exc_traceback)
    os._exit(1)


if __name__ == "__main__":
    threading.excepthook = end
    signal.signal(signal.SIGPIPE, signal.SIG_IGN)
    if sys.argv[1] == "--update":
        main(sys.argv[2], SERVERS, [])
    else:
        main(None, [sys.argv[1]], sys.argv[2:])
