"""The inputs of hostile clients: the table `INPUTS`, and the functions that send them."""

import itertools
import re
import select
import socket
import struct
import time

# Seconds that a stalled or slow client continues: longer than the timeouts of the servers that have one.
HOLD = 3

# Seconds without a byte after which an answer counts as complete.
QUIET = 0.2


class Input:
    """A hostile input: `send(server)` sends it, and returns what the client got."""

    def __init__(self, name, send, connections=1, descriptors=None, stderr="file"):
        self.name, self.send = name, send
        # The number of connections that it holds open, and the limit on the server's descriptors.
        self.connections, self.descriptors = connections, descriptors
        # The server's standard error: a `file`, a pipe that is `unread`, or a pipe whose reader has `closed` it.
        self.stderr = stderr


def connect(server):
    client = socket.create_connection(server.address, timeout=5)
    client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return client


def head(line, *fields):
    return "\r\n".join([line, "Host: localhost", *fields, "", ""]).encode()


def post(*fields):
    return head("POST /me HTTP/1.1", *fields)


def get(server, *fields, path="/me"):
    return head(f"GET {path} HTTP/1.1", f"x-api-key: {server.key}", *fields)


def keyed(*fields, path="/me"):
    """A piece: a request with a good key."""
    return lambda server: get(server, *fields, path=path)


def read(client, wait=HOLD):
    """Returns the bytes that arrive within this time, and whether the connection was closed."""
    text, closed, end = b"", False, time.monotonic() + wait
    while not closed and time.monotonic() < end:
        begun = text.replace(b"HTTP/1.1 100 Continue\r\n\r\n", b"")
        client.settimeout(QUIET if begun else max(end - time.monotonic(), 0.01))
        try:
            piece = client.recv(65536)
        except TimeoutError:
            break
        except OSError:
            piece = b""
        text, closed = text + piece, not piece
    return text, closed


def told(text, closed, requests=1):
    """The statuses of the answers, with a star if a hidden request has an answer, too."""
    statuses = [status for status in re.findall(rb"HTTP/1\.[01] (\d{3})", text) if status != b"100"]
    # A server sends 400 if it cannot read a request, and oxhttp sends 500 if none comes.
    hidden = any(status not in (b"400", b"500") for status in statuses[requests:])
    statuses = ", ".join(status.decode() for status in statuses) or ("closed" if closed else "nothing")
    return statuses + "*" * hidden


def write(client, data):
    """Returns whether all bytes were accepted."""
    try:
        client.sendall(data)
        return True
    except OSError:
        return False


def once(*pieces, requests=1):
    """Sends all pieces at once, and reads. A piece may be a function of the server."""

    def send(server):
        with connect(server) as client:
            write(client, b"".join(piece(server) if callable(piece) else piece for piece in pieces))
            return told(*read(client), requests)

    return send


def many(number, first, then=b""):
    """Opens `connections`, sends the beginning over each, and then a byte of `then` every tenth of a second."""

    def send(server):
        clients = [connect(server) for _ in range(number)]
        for client in clients:
            write(client, first(server) if callable(first) else first)
        text, closed, end = b"", False, time.monotonic() + HOLD
        for byte in itertools.cycle(then or b" "):
            if time.monotonic() > end:
                break
            for client in clients if then else []:
                write(client, bytes([byte]))
            time.sleep(0.1)
            if not closed and select.select([clients[0]], [], [], 0)[0]:
                more, closed = read(clients[0], QUIET)
                text += more
        for client in clients:
            client.close()
        return told(text, closed)

    return send


def flood(first, piece):
    """Sends the beginning, and then the piece repeatedly, as fast as the server accepts it."""

    def send(server):
        with connect(server) as client:
            client.settimeout(HOLD)
            taken, end = write(client, first), time.monotonic() + HOLD
            block = piece * (1 + 100_000 // len(piece))
            for _ in range(200_000_000 // len(block)):
                if not taken or time.monotonic() > end:
                    break
                taken = write(client, block)
            return told(*read(client))

    return send


def idle(number):
    """Opens connections and sends nothing. It waits until the server has accepted each batch, or does not accept more:
    if the queue of the operating system is full, a new connection waits for a second, whatever the server is."""

    def send(server):
        clients, accepts = [], True
        for _ in range(number):
            try:
                clients.append(connect(server))
            except OSError:
                break
            if accepts and len(clients) % 64 == 0:
                end = time.monotonic() + 1
                while not (accepts := server.open() >= len(clients)) and time.monotonic() < end:
                    time.sleep(0.001)
        time.sleep(HOLD / 2)
        for client in clients:
            client.close()
        return "nothing"

    return send


def aborted(number, data):
    """Opens connections, sends a text, and resets them."""

    def send(server):
        for _ in range(number):
            client = connect(server)
            write(client, data(server) if callable(data) else data)
            client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            client.close()
        return "nothing"

    return send


def unread(number):
    """Requests documents repeatedly, but reads no answers."""

    def send(server):
        clients = [connect(server) for _ in range(number)]
        for client in clients:
            client.settimeout(0.2)
        end = time.monotonic() + HOLD
        while time.monotonic() < end:
            for client in clients:
                write(client, head("GET /openapi.json HTTP/1.1") * 50)
        for client in clients:
            client.close()
        return "nothing"

    return send


CHUNKED = "Transfer-Encoding: chunked"
HIDDEN = b"GET /health HTTP/1.1\r\nHost: localhost\r\n\r\n"


def in_chunks(data):
    return b"%x\r\n%s\r\n0\r\n\r\n" % (len(data), data)


# Whoever skips neither the size of this chunk nor its data reads two requests. The first begins with the size.
EXTENDED = b"%x;x /y HTTP/1.1\r\nHost: a\r\n\r\n%s\r\n0\r\n\r\n" % (len(HIDDEN) + 11, HIDDEN)

# A reader that stops after this many bytes of a body reads the next chunk as a request.
MEBIBYTE = b"100000\r\n%s\r\n" % (b"x" * 2**20)

# Whoever skips the last chunk, and one byte more, reads a request.
TRAILERS = b"0\r\nXGET: /health HTTP/1.1\r\nHost: a\r\n\r\n"

UPGRADE = ["Connection: keep-alive, Upgrade", "Upgrade: websocket"]


INPUTS = [
    Input("a length of 100 GB, and no body", once(post("Content-Length: 100000000000"))),
    Input("a length of 2^64-1", once(post("Content-Length: 18446744073709551615"))),
    Input("a length above 2^64", once(post("Content-Length: 1" + "0" * 30), HIDDEN)),
    Input("a length with a plus sign", once(post(f"Content-Length: +{len(HIDDEN)}"), HIDDEN)),
    Input("a negative length", once(post("Content-Length: -1"), HIDDEN)),
    Input("two lengths", once(post("Content-Length: 0", f"Content-Length: {len(HIDDEN)}"), HIDDEN)),
    Input("a body shorter than its length, then a reset", aborted(50, post("Content-Length: 5000") + b"x")),
    Input("64 bodies that stall", many(64, post("Content-Length: 5000") + b"x"), connections=64),
    Input("64 bodies, one byte at a time", many(64, post("Content-Length: 5000"), b"x"), connections=64),
    Input("an endless body", flood(post("Content-Length: 100000000000"), b"x")),
    Input("64 heads that stall", many(64, b"GET /me HT"), connections=64),
    Input("64 heads, one byte at a time", many(64, b"GET /me HTTP/1.1\r\nx: ", b"y"), connections=64),
    Input("64 heads, one field at a time", many(64, b"GET /me HTTP/1.1\r\n", b"a:\r\n"), connections=64),
    Input("a header line of 200 MB", flood(b"GET /me HTTP/1.1\r\nx: ", b"y")),
    Input("200 MB of header fields", flood(b"GET /me HTTP/1.1\r\n", b"a: b\r\n")),
    Input("a target of 200 MB", flood(b"GET /", b"y")),
    Input("2,000 header fields", once(head("GET /me HTTP/1.1", *["a: b"] * 2000))),
    Input("a chunk of 2^64-1", once(post(CHUNKED), b"ffffffffffffffff\r\nx")),
    Input("a chunk above 2^64", once(post(CHUNKED), b"f" * 20 + b"\r\nx")),
    Input("a chunk size that is not a number", once(post(CHUNKED), b"-1\r\nx\r\n0\r\n\r\n")),
    Input("64 chunk sizes that stall", many(64, post(CHUNKED) + b"5"), connections=64),
    Input("64 chunked bodies, one byte at a time", many(64, post(CHUNKED), b"1\r\nx\r\n"), connections=64),
    Input("an endless chunk size", flood(post(CHUNKED), b"0")),
    Input("an endless chunk extension", flood(post(CHUNKED) + b"1;", b"x")),
    Input("an endless chunked body", flood(post(CHUNKED), b"5\r\nhello\r\n")),
    Input("endless trailers", flood(post(CHUNKED) + b"0\r\n", b"a: b\r\n")),
    Input("64 trailers, one byte at a time", many(64, post(CHUNKED) + b"0\r\na: ", b"b"), connections=64),
    Input("64 upgrades", many(64, keyed(*UPGRADE)), connections=64),
    Input("64 upgrades with chunks", many(64, keyed(*UPGRADE, CHUNKED)), connections=64),
    Input("64 upgrades with chunks, without a key", many(64, post(*UPGRADE, CHUNKED)), connections=64),
    Input("3,000 idle connections", idle(3000), connections=3000),
    Input("more connections than descriptors", idle(600), connections=600, descriptors=512),
    Input("2,000 connections, reset at once", aborted(2000, b"")),
    Input("the same, and nobody reads standard error", aborted(2000, b""), stderr="unread"),
    Input("the same, and standard error is closed", aborted(2000, b""), stderr="closed"),
    Input("500 requests, reset before the answer", aborted(500, get)),
    Input("16 clients that do not read answers", unread(16), connections=16),
    Input("three requests at once", once(get, get, get, requests=3)),
    Input("a request in the body", once(post(f"Content-Length: {len(HIDDEN)}"), HIDDEN)),
    Input("a request in a chunk", once(post(CHUNKED), in_chunks(HIDDEN))),
    Input("a request in a chunk of 200 kB", once(post(CHUNKED), in_chunks(HIDDEN * 5000))),
    Input("a request behind a chunk extension", once(post(CHUNKED), EXTENDED)),
    Input("the same, with a key", once(keyed(CHUNKED), EXTENDED)),
    Input("the same, on a path without a guard", once(head("GET /health HTTP/1.1", CHUNKED), EXTENDED)),
    Input("the same, with a key and without a guard", once(keyed(CHUNKED, path="/health"), EXTENDED)),
    Input("the same, behind 1 MiB, without a key", once(post(CHUNKED), MEBIBYTE, EXTENDED)),
    Input("the same, behind 1 MiB, with a key", once(keyed(CHUNKED), MEBIBYTE, EXTENDED)),
    Input("a request in the trailers", once(keyed(CHUNKED), TRAILERS)),
    Input("a length and chunks", once(post(f"Content-Length: {len(HIDDEN) + 5}", CHUNKED), b"0\r\n\r\n", HIDDEN)),
    Input("`Transfer-Encoding: xchunked`", once(post("Transfer-Encoding: xchunked"), in_chunks(HIDDEN))),
    Input("`Transfer-Encoding : chunked`", once(post("Transfer-Encoding : chunked"), in_chunks(HIDDEN))),
    Input("chunks in HTTP/1.0", once(head("POST /me HTTP/1.0", CHUNKED), in_chunks(HIDDEN))),
    Input("`Expect: 100-continue`, and no body", once(post("Content-Length: 5000", "Expect: 100-continue"))),
    Input("`Expect: 100-continue` with 100 GB", once(post("Content-Length: 100000000000", "Expect: 100-continue"))),
    Input("`Expect: something`", once(post("Content-Length: 5", "Expect: something"), b"hello")),
    Input("HTTP/1.0", once(lambda server: get(server).replace(b"HTTP/1.1", b"HTTP/1.0"))),
    Input("HTTP/0.9", once(b"GET /me\r\n")),
    Input("HTTP/2", once(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n")),
    Input("a request of the version HTTP/2.0", once(head("GET /me HTTP/2.0"))),
    Input("a TLS handshake", once(b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + b"\x00" * 600)),
    Input("zero bytes", once(b"\x00" * 100_000)),
    Input("a target that is not a path", once(head("GET me HTTP/1.1"))),
    Input("a key of 1 MB", once(lambda server: head("GET /me HTTP/1.1", "x-api-key: apikee_" + "z" * 1_000_000))),
]
