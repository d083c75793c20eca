"""The published SDKs and our emulator. Each runs in its own process."""

import json
import os
import shlex
import subprocess
import tempfile
from typing import NamedTuple

HERE = os.path.dirname(os.path.abspath(__file__))
APIKEE, PLACE = os.environ["APIKEE"], os.environ["PLACE"]
SECRET = "a secret of the interoperability tests"
# All SDKs and our client are configured only by these variables.
CLEAN = {name: value for name, value in os.environ.items() if not name.startswith("APIKEE_") and name != "APIKEE"}


class Wrong(Exception):
    """A difference that is not expected."""


class Published(NamedTuple):
    """An installed SDK."""

    version: str
    # The encoding that it writes, and the only one that it reads.
    encoding: str

    @property
    def name(self):
        return f"{'Node' if self.is_node else 'Python'} {self.version.removeprefix('node-')}, {self.encoding}"

    @property
    def is_node(self):
        return self.version.startswith("node-")

    @property
    def has_base_url(self):
        """Since 0.1.2b0, the platform's address and public key come from the environment, and the key is optional."""
        return self.version in ("0.1.2b0", "0.1.2.dev10")

    @property
    def command(self):
        if self.is_node:
            return ["node", f"{HERE}/sdk.mjs"]
        return [f"{PLACE}/{self.version}-{self.encoding}/bin/python", f"{HERE}/sdk.py"]


PYTHON = [Published(version, encoding) for version in ("0.1.2", "0.1.2b0", "0.1.2.dev10") for encoding in ("json", "msgpack")]
NODE = Published("node-0.1.2", "json")
ALL = [*PYTHON, NODE]


class Sdk:
    """A running SDK. Each call is a line, and each result is a line."""

    def __init__(self, published, **environment):
        self.published = published
        pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
        environment = {**CLEAN, "APIKEE_SECRET": SECRET, **environment}
        self.process = subprocess.Popen(published.command, env=environment, **pipes)

    def __getattr__(self, name):
        def call(*arguments):
            self.process.stdin.write(json.dumps([name, *arguments]) + "\n")
            self.process.stdin.flush()
            line = self.process.stdout.readline()
            assert line, f"{self.published.name} died in {name}"
            return json.loads(line)

        return call

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.kill()
        self.process.wait()
        self.process.stdin.close()
        self.process.stdout.close()


class Platform:
    """`apikee platform`, and its log. `environment` contains the variables that it prints for its callers."""

    def __init__(self, sealing, *arguments):
        self.log = tempfile.NamedTemporaryFile()
        command = [APIKEE, "platform", "--env", "--until-eof", "--sealing", sealing, "--log", self.log.name, *arguments]
        pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.DEVNULL, "text": True}
        self.process = subprocess.Popen(command, env=CLEAN, **pipes)
        self.environment = {}
        wanted = ["APIKEE_BASE_URL", "APIKEE_SERVER_KEY", "APIKEE_PROJECT_ENV", "APIKEE_SERVER_PUBLIC_KEY", "APIKEE_SEALING"]
        for _ in wanted:
            name, value = shlex.split(self.process.stdout.readline())[1].split("=", 1)
            self.environment[name] = value
        assert list(self.environment) == wanted, self.environment

    @property
    def port(self):
        return self.environment["APIKEE_BASE_URL"].split(":")[2].split("/")[0]

    def seen(self):
        with open(self.log.name, encoding="utf-8") as log:
            return [json.loads(line) for line in log]

    def last(self, kind):
        return [seen for seen in self.seen() if seen["kind"] == kind][-1]

    def stop(self):
        self.process.kill()
        self.process.wait()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stop()
        self.process.stdin.close()
        self.process.stdout.close()


def ours(*arguments, environment=None, keys=""):
    """Runs our command. Returns its output and its exit code."""
    whole = {**CLEAN, "APIKEE_SECRET": SECRET, **(environment or {})}
    return subprocess.run([APIKEE, *arguments], env=whole, input=keys, capture_output=True, text=True)
