"""Runs the linked programs, and compares their results with the golden vectors. The sources explain the exit codes."""

import hashlib
import json
import pathlib
import subprocess
import sys

programs = pathlib.Path(sys.argv[1])
vectors = pathlib.Path(__file__).parents[2] / "vectors"
asked = 0


def ask(program, *arguments):
    global asked
    asked += 1
    return subprocess.run([programs / program, *(str(a).encode() for a in arguments)]).returncode


def expect(codes, program, *arguments):
    answer = ask(program, *arguments)
    if answer not in (codes if isinstance(codes, list) else [codes]):
        sys.exit(f"{program} {arguments}"[:300] + f": {answer} instead of {codes}")


CODES = {
    "MISSING_KEY": 10,
    "INVALID_PREFIX": 11,
    "INVALID_FORMAT": 12,
    "DECODE_ERROR": 13,
    "INVALID_SIGNATURE": 15,
    "EXPIRED": 16,
    "NOT_YET_VALID": 17,
}
for vector in json.loads((vectors / "keys.json").read_text())["vectors"]:
    key, expected, room, now = vector["key"], vector["expect"], 8192, vector["now"]
    rest = ["", "", *vector["secrets"]]
    if not expected["ok"]:
        accepted = [CODES[code] for code in [expected["code"], *expected.get("also", [])]]
        expect(accepted, "verify", room, now, 0, key, "any", *rest)
        continue
    expect(21, "verify", room, now, 0, key, "a scope that no key has", *rest)
    expect(14, "verify", 0, now, 0, key, "any", *rest)
    for scope in expected["scopes"]:
        expect(0, "verify", room, now, 0, key, scope, *rest)
        denied = hashlib.sha256(key.encode()).hexdigest()
        expect(20, "verify", room, now, 0, key, scope, "", denied, *vector["secrets"])
expect(10, "verify", 8192, 0, 0, "-", "any", "", "", "secret")

new = ["acme", "read", "production", 1770000000, 0]
for program in ["issue", "issue_msgpack"]:
    for meta in ['{"plan":"pro"}', '{"n":[9007199254740993.00000000000000000000000000001,-1e-400]}']:
        expect(0, program, 1024, 1760000000, *new, meta, 7, "secret")
        expect(10, program, 100, 1760000000, *new, meta, 7, "secret")
        expect(14, program, 1024, 1760000000, *new, meta, 0, "secret")
large = '{"n":18446744073709551616}'
expect(0, "issue", 1024, 1760000000, *new, large, 7, "secret")
expect(16, "issue_msgpack", 1024, 1760000000, *new, large, 7, "secret")

requests = [v for v in json.loads((vectors / "envelopes.json").read_text())["vectors"] if v["kind"] == "request"]
requests = [v for v in requests if len(v["plaintext"]) <= 2048]  # what fits in the programs' buffers
for vector, other in zip(requests, requests[1:] + requests[:1]):
    server, secret, text = vector["server_public"], vector["server_private"], vector["plaintext"]
    expect(0, "envelope", 4096, server, 7, secret, -1, text)
    expect(35, "envelope", 4096, other["server_public"], 7, secret, -1, text)
    # Changes one bit of the answer: in its bracket, version, key or ciphertext. The changed character may not be a
    # valid digit.
    for code, flip in [(30, 0), (32, 6), ([33, 34], 20), ([33, 35], 95)]:
        expect(code, "envelope", 4096, server, 7, secret, flip, text)
    expect(20, "envelope", 64, server, 7, secret, -1, text)
    expect(12, "envelope", 4096, server, 0, secret, -1, text)
    expect(11, "envelope", 4096, "0" * 64, 7, secret, -1, text)
    expect(10, "envelope", 4096, server[1:], 7, secret, -1, text)

print(f"{asked} answers as expected")
