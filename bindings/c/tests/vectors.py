#!/usr/bin/env python3
"""Writes the golden vectors of tests/vectors/ as tables in C: `vectors.py FOLDER OUT` writes OUT/vectors_*.h."""
import base64
import datetime
import json
import pathlib
import sys
import urllib.parse

folder = pathlib.Path(sys.argv[1])


def load(name, member):
    return json.loads((folder / name).read_text(encoding="utf-8"))[member]


def literal(data):
    """A string literal. It uses octal escapes, because they end after three digits."""
    if isinstance(data, str):
        data = data.encode()
    plain = {byte for byte in range(0x20, 0x7F)} - set(b'"\\?')
    return '"' + "".join(chr(byte) if byte in plain else f"\\{byte:03o}" for byte in data) + '"'


def text(data):
    return "{NULL, 0}" if data is None else f"APIKEE_TEXT({literal(data)})"


def table(kind, name, items):
    print(f"static const {kind} {name}[] = {{", file=out)
    for item in items:
        print(f"    {item},", file=out)
    print("};\n", file=out)


def fields(*values):
    return "{" + ", ".join(str(value) for value in values) + "}"


def time(seconds):
    return fields(0, 0) if seconds is None else fields(1, f"INT64_C({seconds})")


def member(name, value):
    """The members that the functions for single members must find. They do not find lists and objects."""
    kinds = {str: "'s'", bool: "'b'", int: "'i'"}
    kind = kinds.get(type(value), "'x'")
    number = int(value) if kind in ("'b'", "'i'") else 0
    return fields(text(name), kind, text(value if kind == "'s'" else ""), f"INT64_C({number})")


def keys():
    rows = []
    for n, vector in enumerate(load("keys.json", "vectors")):
        expect = vector["expect"]
        scopes, meta = expect.get("scopes", []), expect.get("meta", {})
        table("apikee_text", f"secrets_{n}", map(text, vector["secrets"]))
        table("apikee_text", f"scopes_{n}", map(text, [*scopes, "not a scope"]))
        table("member", f"members_{n}", [member(*item) for item in meta.items()] + [member("not a member", [])])
        rows.append(fields(
            literal(vector["name"]), f"secrets_{n}", len(vector["secrets"]), text(vector["key"]),
            f"INT64_C({vector['now']})", int(vector["format"] == "msgpack"), int(expect["ok"]),
            "{" + ", ".join(literal(code) for code in [expect.get("code", ""), *expect.get("also", []), ""][:3]) + "}",
            text(expect.get("id")), text(expect.get("tenant")), text(expect.get("environment")),
            f"scopes_{n}", len(scopes), time(expect.get("expires_at")), time(expect.get("not_before")),
            f"members_{n}", len(meta)))
    table("key_vector", "key_vectors", rows)


def reflected(vector):
    """The request with the server's public key instead of its own."""
    server = base64.urlsafe_b64encode(bytes.fromhex(vector["server_public"])).decode().rstrip("=")
    return vector["envelope"].replace(json.loads(vector["envelope"])["epk"], server)


def envelopes():
    rows = []
    for vector in load("envelopes.json", "vectors"):
        secret = lambda name: text(bytes.fromhex(vector[name]) if name in vector else None)
        rows.append(fields(
            literal(vector["name"]), f"'{vector['kind'][0]}'", int(vector.get("ok", True)),
            text(vector["server_public"]), secret("ephemeral_private"), secret("iv"),
            text(vector.get("plaintext")), text(vector.get("envelope")),
            text(reflected(vector) if vector["kind"] == "request" else None)))
    table("envelope_vector", "envelope_vectors", rows)


def requests():
    """The validate calls of the published SDK, with timestamps in our form: with milliseconds and Z."""
    rows = []
    for exchange in load("http.json", "exchanges"):
        target = urllib.parse.urlsplit(exchange["target"])
        place, _, client = target.path.rpartition("/")
        if place != "/api/v1/client":
            continue
        n, body = len(rows), exchange["body"]
        query = urllib.parse.parse_qs(target.query, strict_parsing=True)
        method, path = query["method_path"][0].split(":::")
        at = datetime.datetime.fromisoformat(body["timestamp"])
        body["timestamp"] = at.strftime("%Y-%m-%dT%H:%M:%S.") + f"{at.microsecond // 1000:03d}Z"
        compact = lambda value: json.dumps(value, separators=(",", ":"), ensure_ascii=False)
        payload = compact(body["payload"]) if "payload" in body else None
        table("apikee_header", f"headers_{n}", [
            fields(text(name), text(value)) for name, value in [*body["headers"].items(), ("not", "a header")]])
        millis = int(at.timestamp()) * 1000 + at.microsecond // 1000
        rows.append(fields(
            fields(text(client), text(query["project_env"][0]), text(method), text(path), text(body["name"]),
                   f"headers_{n}", len(body["headers"]), text(payload), f"INT64_C({millis})", 1),
            text(exchange["target"].removeprefix("/api/v1")), text(compact(body))))
    table("request_vector", "request_vectors", rows)


for name, write in [("keys", keys), ("envelopes", envelopes), ("requests", requests)]:
    out = open(pathlib.Path(sys.argv[2]) / f"vectors_{name}.h", "w", encoding="utf-8")
    write()
    out.close()
