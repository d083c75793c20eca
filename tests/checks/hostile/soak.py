"""Sends good, bad and hostile traffic while secrets and revoked keys change. `soak` calls it, and explains it."""

import hashlib
import http.client
import os
import random
import re
import sys
import threading
import time

from drive import Server, end, issue
from inputs import INPUTS

# The number of secrets in the file that are replaced. One more secret always stays.
SECRETS = 6

# Number of newer files after which the server has certainly read a file. It may not have read the newest one yet: see
# `wait_until_used`.
TAKEN_UP = 1

# Number of newer secrets after which a secret is no longer in the file, and its grace period of one second is over.
RETIRED = SECRETS + 4

OTHER_REVOKED = 10_000
THREADS = 4


class Files:
    """The secret file and the deny-list, which are replaced each second."""

    def __init__(self, place):
        self.secret_file, self.deny_list = os.path.join(place, "secrets"), os.path.join(place, "deny-list")
        self.lasting = random.randbytes(32).hex()
        self.secrets, self.revoked, self.pardoned = [], [], []
        self.others = [hashlib.sha256(b"%d" % number).hexdigest() for number in range(OTHER_REVOKED)]
        for _ in range(RETIRED):
            self.replace()

    def replace(self):
        """Adds a secret and a revoked key, and revokes another key for this second only."""
        secret, number = random.randbytes(32).hex(), str(len(self.secrets))
        revoked, pardoned = (issue(self.lasting, scp=["read", kind, number]) for kind in ("revoked", "pardoned"))
        self.secrets, self.revoked, self.pardoned = (
            [secret, *self.secrets],
            [revoked, *self.revoked],
            [pardoned, *self.pardoned],
        )
        random.shuffle(self.others)
        listed = [hashlib.sha256(key.encode()).hexdigest() for key in [*self.revoked[:RETIRED], pardoned]]
        write(self.secret_file, [*self.secrets[:SECRETS], self.lasting])
        write(self.deny_list, [*self.others, *listed])

    def wait_until_used(self, server):
        """Waits until the server has read the newest secret and the newest revoked key."""
        new, revoked = issue(self.secrets[0], scp=["read"]), self.revoked[0]
        end = time.monotonic() + 60
        while ask(server, new)[0] != 200 or ask(server, revoked)[0] != 401:
            if time.monotonic() > end:
                raise TimeoutError("the server does not use the new files")
            time.sleep(0.05)


def ask(server, key):
    """Returns the status and the body."""
    connection = http.client.HTTPConnection(*server.address, timeout=10)
    try:
        connection.request("GET", "/users/7", headers={"x-api-key": key})
        answer = connection.getresponse()
        return answer.status, answer.read()
    except (OSError, http.client.HTTPException) as error:
        return None, error
    finally:
        connection.close()


def write(path, lines):
    with open(path + ".new", "w") as file:
        file.write("".join(f"{line}\n" for line in lines))
    os.replace(path + ".new", path)


def case(files):
    """A key, and the required answer. The answer does not depend on how many of the files the server has read."""
    secrets = files.secrets
    taken_up = random.choice([secrets[TAKEN_UP], files.lasting])
    good = issue(taken_up, scp=["read"])
    kind = random.randrange(12)
    if kind == 0:
        return None, (401, "MISSING_KEY")
    if kind == 1:
        return issue("somebody else's secret"), (401, "INVALID_SIGNATURE")
    if kind == 2:
        return issue(taken_up, exp=1_700_000_000), (401, "EXPIRED")
    if kind == 3:
        return issue(taken_up, scp=["write"]), (403, "INSUFFICIENT_SCOPE")
    if kind == 4:
        return files.revoked[TAKEN_UP], (401, "REVOKED")
    if kind == 5:
        # This key was revoked for one second, which is over.
        return files.pardoned[TAKEN_UP + 1], (200, None)
    if kind == 6 and len(secrets) > RETIRED:
        return issue(secrets[random.randrange(RETIRED, len(secrets))], scp=["read"]), (401, "INVALID_SIGNATURE")
    return good, (200, None)


class Traffic(threading.Thread):
    """Sends requests on kept and on new connections, and remembers each wrong answer."""

    def __init__(self, server, files, over):
        # A failure of the main thread ends the program.
        super().__init__(daemon=True)
        self.server, self.files, self.over = server, files, over
        self.asked, self.wrong, self.slowest = 0, [], 0.0

    def run(self):
        connection = None
        while not self.over.is_set():
            key, expected = case(self.files)
            begin, connection = time.monotonic(), connection or http.client.HTTPConnection(*self.server.address, timeout=10)
            try:
                connection.request("GET", "/users/7", headers={"x-api-key": key} if key else {})
                answer = connection.getresponse()
                text = answer.read().decode()
            except (OSError, http.client.HTTPException) as error:
                text, answer = repr(error), None
            self.slowest = max(self.slowest, time.monotonic() - begin)
            self.asked += 1
            code = re.search(r'"error":"(\w+)"', text)
            got = answer and (answer.status, code and code[1])
            if got != expected:
                self.wrong.append(f"{got or text} instead of {expected}")
            if got is None or random.randrange(20) == 0:
                connection.close()
                connection = None


def figures(server):
    """Resident memory in kB, descriptors and threads, without hostile traffic."""
    time.sleep(4)
    process = f"/proc/{server.process.pid}"
    with open(f"{process}/status") as status:
        status = status.read()
    resident, threads = (int(re.search(rf"{name}:\s+(\d+)", status)[1]) for name in ("VmRSS", "Threads"))
    return resident, len(os.listdir(f"{process}/fd")), threads


def main(seconds):
    files = Files(os.environ["PLACE"])
    over = threading.Event()
    environment = {
        "APIKEE_SECRET_FILE": files.secret_file,
        "APIKEE_DENY_LIST_FILE": files.deny_list,
        "APIKEE_SECRET_GRACE": "1",
    }

    not_used = []

    def replace():
        while not over.wait(1) and not not_used:
            files.replace()
            try:
                files.wait_until_used(server)
            except TimeoutError as error:
                not_used.append(str(error))

    # The largest inputs first, so that both halves contain them.
    hostile = sorted((hostile for hostile in INPUTS if not hostile.descriptors), key=lambda one: -one.connections)
    with Server("oxhttp", **environment) as server:
        threads = [threading.Thread(target=replace, daemon=True), *(Traffic(server, files, over) for _ in range(THREADS))]
        for thread in threads:
            thread.start()
        sent, measured = 0, []
        for _ in range(2):
            end = time.monotonic() + seconds / 2
            while time.monotonic() < end and server.ended() is None:
                try:
                    hostile[sent % len(hostile)].send(server)
                except OSError:
                    pass
                sent += 1
            sent = 0 if len(measured) == 0 and sent < len(hostile) else sent
            if server.ended() is None:
                # Each time after the largest input.
                hostile[0].send(server)
                measured.append(figures(server))
        over.set()
        for thread in threads:
            thread.join()
        if server.ended() is not None:
            sys.exit(f"the server has ended with code {server.ended()}")

    traffic = threads[1:]
    wrong = not_used + [wrong for thread in traffic for wrong in thread.wrong]
    print(
        f"{sum(thread.asked for thread in traffic)} requests while {len(files.secrets) - RETIRED} secrets and deny-lists"
        f" were replaced; the slowest took {max(thread.slowest for thread in traffic):.2f} s; {len(wrong)} wrong answers"
    )
    (resident, descriptors, running), (resident_end, descriptors_end, running_end) = measured
    print(
        f"after half of the time: {resident} kB, {descriptors} descriptors, {running} threads;"
        f" at the end: {resident_end} kB, {descriptors_end} descriptors, {running_end} threads"
    )
    if not all(thread.asked for thread in traffic):
        sys.exit("a thread has sent nothing")
    if wrong:
        sys.exit("\n".join(wrong[:20]))
    # The number of kept connections varies: each takes two descriptors and a thread.
    if resident_end > resident * 1.25 + 8192 or descriptors_end > descriptors + 2 * THREADS or running_end > running + THREADS:
        sys.exit("memory, descriptors or threads grow")


if __name__ == "__main__":
    threading.excepthook = end
    main(int(sys.argv[1]))
