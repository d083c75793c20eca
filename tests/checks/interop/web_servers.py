"""The services, and their answers."""

import contextlib
import http.client
import io
import json
import os
import socket
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple

HERE = os.path.dirname(os.path.abspath(__file__))
COMMANDS = {
    "ours": [os.environ["GUARD"]],
    "express": ["node", f"{HERE}/express_app.mjs"],
    "flask": [sys.executable, f"{HERE}/flask_app.py", "json"],
    "flask+msgpack": [sys.executable, f"{HERE}/flask_app.py", "msgpack"],
}
TIMEOUT = 10


class Answer(NamedTuple):
    """The parts of a response that must be equal."""

    status: int
    code: str | None = None
    claims: dict | None = None
    missing: list | None = None

    def __str__(self):
        return f"{self.status} {self.code or ('granted' if self.status == 200 else 'no code')}"


NO_ANSWER = Answer(0)


class Read:
    """A socket for `http.client` that contains bytes."""

    def __init__(self, raw):
        self.raw = raw

    def makefile(self, *_):
        return io.BytesIO(self.raw)


def read(raw, method):
    """Parses a response. A code counts only if the body is JSON with exactly `error` and `message`."""
    if not raw:
        return NO_ANSWER
    response = http.client.HTTPResponse(Read(raw), method=method)
    response.begin()
    body = response.read()
    is_json = (response.getheader("content-type") or "").split(";")[0] == "application/json"
    told = json.loads(body) if body and is_json else {}
    if response.status == 200:
        return Answer(200, claims=told.get("claims"))
    if told.keys() != {"error", "message"}:
        return Answer(response.status)
    missing = sorted(told["message"].split(": ", 1)[1].split(", ")) if told["error"] == "INSUFFICIENT_SCOPE" else None
    return Answer(response.status, told["error"], missing=missing)


class Services:
    """All services, each on its own port, until the end of the block."""

    def __init__(self, secrets, routes):
        # Their programs read settings from variables with these names, if they are not passed.
        environment = {name: value for name, value in os.environ.items() if not name.startswith("APIKEE_")}
        self.environment = {**environment, "SECRETS": json.dumps(secrets), "ROUTES": json.dumps(routes)}
        self.processes, self.ports, self.said = {}, {}, {}
        self.pool = ThreadPoolExecutor(len(COMMANDS))

    def __enter__(self):
        try:
            for name, command in COMMANDS.items():
                self.said[name] = tempfile.TemporaryFile()
                # They end when their standard input ends, also when this process is killed.
                pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": self.said[name]}
                self.processes[name] = subprocess.Popen(command, env=self.environment, text=True, **pipes)
            for name, process in self.processes.items():
                port = process.stdout.readline().strip()
                assert port.isdigit(), f"{name} does not start: {self.last_words(name)}"
                self.ports[name] = int(port)
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_):
        for process in self.processes.values():
            process.kill()
            process.wait()
        self.pool.shutdown()

    def last_words(self, name):
        self.processes[name].wait(TIMEOUT)
        self.said[name].seek(0)
        return self.said[name].read().decode(errors="replace")

    def ask(self, names, request):
        """The answers to a request, by name."""
        return dict(zip(names, self.pool.map(lambda name: self._ask(name, request), names)))

    def _ask(self, name, request):
        raw = b""
        with socket.create_connection(("127.0.0.1", self.ports[name]), TIMEOUT) as connection:
            # A server that refuses a long header may answer and close the connection before it has read all of it.
            with contextlib.suppress(BrokenPipeError, ConnectionResetError):
                connection.sendall(request)
            with contextlib.suppress(ConnectionResetError):
                while chunk := connection.recv(65536):
                    raw += chunk
        return read(raw, request.split(b" ", 1)[0].decode())
