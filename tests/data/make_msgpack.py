#!/usr/bin/env python3
"""Writes msgpack.json: claims as the Python SDK packs them, by `pip install msgpack==1.2.4`.

`meta` is the text that `json.loads` reads, `payload` the bytes of `msgpack.packb(claims, use_bin_type=True)` in
hexadecimal, or null where packing fails.
"""
import json
import random

import msgpack

ID, TENANT, ENVIRONMENT = "31GnZ1t7ZX2ye5UxqDDBe", "acme-corp", "production"


def case(name, meta="{}", tenant=TENANT, scopes=(), environment=ENVIRONMENT, exp=None, nbf=None):
    claims = {"id": ID, "tid": tenant, "scp": list(scopes), "env": environment}
    if exp is not None:
        claims["exp"] = exp
    if nbf is not None:
        claims["nbf"] = nbf
    if json.loads(meta):
        claims["meta"] = json.loads(meta)
    try:
        payload = msgpack.packb(claims, use_bin_type=True).hex()
    except OverflowError:
        payload = None
    return {"name": name, "tenant": tenant, "scopes": list(scopes), "environment": environment, "exp": exp,
            "nbf": nbf, "meta": meta, "payload": payload}


def value(rng, depth):
    kind = rng.randrange(9 if depth < 4 else 7)
    if kind == 0:
        return rng.choice(["null", "true", "false"])
    if kind == 1:
        return str(rng.choice([1, -1]) * rng.getrandbits(rng.randrange(1, 64)))
    if kind == 2:
        return repr(rng.choice([1, -1]) * rng.random() * 10.0 ** rng.randrange(-320, 309))
    if kind == 3:
        return f"{rng.getrandbits(90)}.{rng.getrandbits(60)}e{rng.randrange(-360, 330)}"
    if kind in (4, 5, 6):
        return json.dumps("".join(rng.choice(TEXT) for _ in range(rng.randrange(40))), ensure_ascii=rng.random() < 0.5)
    if kind == 7:
        return "[" + rng.choice([",", " , "]).join(value(rng, depth + 1) for _ in range(rng.randrange(20))) + "]"
    return members(rng, depth + 1)


def members(rng, depth):
    names = {"".join(rng.choice(TEXT) for _ in range(rng.randrange(1, 12))) for _ in range(rng.randrange(20))}
    space = rng.choice(["", " ", "\n\t"])
    return "{" + ("," + space).join(
        json.dumps(name, ensure_ascii=rng.random() < 0.5) + space + ":" + value(rng, depth) for name in sorted(names)
    ) + "}"


TEXT = 'abcXYZ09 "\\/\b\f\n\r\t\x01\x7f\u00e9\u20ac\U0001f600{}[]:,'

NUMBERS = [
    "0", "-0", "0.0", "-0.0", "1.0", "1e0", "1E+2", "-1.5e-7", "0.1", "1e308", "1e309", "-1e309", "5e-324", "2e-324",
    "2.4703282292062328e-324", "2.2250738585072011e-308", "1.7976931348623157e308", "9007199254740993.0", "1e23",
    "123456789012345678901234567890.0", "0." + "0" * 400 + "1", "1" + "0" * 400 + ".0", "0e999", "1e-400",
]
EDGES = [0x7F, 0x80, 0xFF, 0x100, 0xFFFF, 0x10000, 0xFFFFFFFF, 0x100000000, 2**63 - 1, 2**63, 2**64 - 1, 2**64, 2**128,
         -1, -0x20, -0x21, -0x80, -0x81, -0x8000, -0x8001, -0x80000000, -0x80000001, -(2**63), -(2**63) - 1, -(2**127) - 1]


def cases():
    yield case("nothing but the four claims that are always there")
    yield case("all seven claims", '{"plan":"pro"}', scopes=["read", "write", "read", ""], exp=1760000000, nbf=1750000000)
    for time in (0, 127, 128, 65536, 2**32 - 1, 2**32, 253402300799, -1, -33, -62135596800):
        yield case(f"times of {time}", exp=time, nbf=time)
    for length in (0, 1, 31, 32, 255, 256, 1500):
        yield case(f"strings of {length} bytes", json.dumps({"a": "b" * length, "c" * length: 1}), tenant="t" * length,
                   scopes=["s" * length], environment="e" * length)
    yield case("strings that are longer in UTF-8", '{"\u00e9":"\\u20ac\\ud83d\\ude00"}', tenant="\u20ac" * 11, environment="\u00e9" * 16)
    for count in (0, 1, 15, 16, 300):
        yield case(f"{count} scopes, members and elements", json.dumps({"o": {str(n): n for n in range(count)}, "a": [None] * count}),
                   scopes=[str(n) for n in range(count)])
    for number in NUMBERS + [str(edge) for edge in EDGES]:
        yield case(f"the number {number[:40]}", f'{{"n":{number}}}')
    yield case("31 levels", '{"a":' * 30 + "{}" + "}" * 30)
    yield case("30 levels of arrays", '{"a":' + "[" * 30 + "]" * 30 + "}")
    yield case("brackets in strings", '{"}]":"{[","\\"":[{"}":"]"}],"x":{"y":[]}}')
    yield case("white space", ' {\n"a" :\t[ 1 , [ ] , { } ] ,\r"b" : { "c" : null } } ')
    rng = random.Random(20260101)
    for number in range(120):
        meta = members(rng, 0)
        if len(meta) < 6000:
            yield case(f"random {number}", meta, exp=rng.choice([None, rng.getrandbits(37)]))


with open("msgpack.json", "w") as file:
    file.write("[\n" + ",\n".join(json.dumps(case) for case in cases()) + "\n]\n")
