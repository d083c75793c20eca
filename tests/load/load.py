"""Drives wrk against the load server. Called by `run`, which says what it is for."""

import os
import re
import statistics
import subprocess
import sys

CONNECTIONS = 4
SCRIPT = os.path.join(os.path.dirname(__file__), "statuses.lua")


class Server:
    """A server process, which ends with its standard input."""

    def __init__(self, mode):
        self.process = subprocess.Popen(
            [os.environ["LOAD"], mode], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        self.url, self.key = self.process.stdout.readline().split()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.stdin.close()
        self.process.wait(timeout=10)

    def _proc(self, name):
        with open(f"/proc/{self.process.pid}/{name}") as file:
            return file.read()

    def cpu(self):
        """Seconds of CPU so far, in the program and in the kernel for it."""
        user, system = self._proc("stat").rpartition(")")[2].split()[11:13]
        return (int(user) + int(system)) / os.sysconf("SC_CLK_TCK")

    def memory(self):
        """Resident, in kB."""
        return int(re.search(r"VmRSS:\s+(\d+)", self._proc("status"))[1])

    def load(self, key, seconds):
        """Requests a second, microseconds of CPU for each, and how often each status came."""
        before = self.cpu()
        command = [os.environ["WRK"], "-t1", f"-c{CONNECTIONS}", f"-d{seconds}s", "-H", f"x-api-key: {key}"]
        text = subprocess.run(
            [*command, "-s", SCRIPT, f"{self.url}/users"], check=True, capture_output=True, text=True
        ).stdout
        cpu = self.cpu() - before
        statuses = {int(status): int(count) for status, count in re.findall(r"^status (\d+): (\d+)$", text, re.M)}
        if "Socket errors" in text or not statuses:
            sys.exit(f"wrk was not answered:\n{text}")
        answered = sum(statuses.values())
        return answered / seconds, cpu / answered * 1e6, statuses


def forged(key):
    return key[:-1] + ("1" if key.endswith("0") else "0")


def compare(rounds):
    rates, costs = {}, {}
    for _ in range(rounds):
        for name in ["bare", "accepted", "forged"]:
            with Server("bare" if name == "bare" else "guarded") as server:
                key = forged(server.key) if name == "forged" else server.key
                server.load(key, 1)
                rate, cost, _ = server.load(key, 3)
                rates.setdefault(name, []).append(rate)
                costs.setdefault(name, []).append(cost)
    bare = rates["bare"]
    for name, series in rates.items():
        of_bare = statistics.median(rate / other for rate, other in zip(series, bare))
        print(
            f"{name}: {statistics.median(series):.0f} requests a second, {of_bare:.3f} of the bare server's;"
            f" {statistics.median(costs[name]):.1f} us of CPU each",
            flush=True,
        )


def endure(requests):
    """Half of them with a good key, half with a forged one."""
    with Server("guarded") as server:
        server.load(server.key, 1)
        server.load(forged(server.key), 1)
        start = server.memory()
        for key, status in [(server.key, 200), (forged(server.key), 401)]:
            left = requests // 2
            while left > 0:
                _, _, statuses = server.load(key, 5)
                if set(statuses) != {status}:
                    sys.exit(f"all should be {status}: {statuses}")
                left -= sum(statuses.values())
        end = server.memory()
        print(f"{requests} requests: nothing but 200 for good keys and 401 for bad ones; {start} kB before, {end} kB after")
        if end > start * 1.1 + 512:
            sys.exit("memory grows")


if __name__ == "__main__":
    compare(int(sys.argv[2]))
    endure(int(sys.argv[1]))
