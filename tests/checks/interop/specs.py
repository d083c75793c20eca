"""Random claims for keys, including unusual ones."""

import json
import subprocess
from os import environ

from sdks import CLEAN, SECRET

EXPIRY = 4_102_444_800
TENANTS = ["acme-corp", 'ten"ant\\', "caf\u00e9", "\u65e5\u672c", "\U0001f600", "line\nbreak\t\u0001\x7f", "a" * 300, "\u2028"]
SCOPES = ["read", "write", "read:users", "\u00fc", "a b", ""]
TEXTS = ["", "pro", "\u00e9\U0001f600\u2029", '"\\/\b\f', "\0", "\ufeff", "\uffff", "a" * 31, "b" * 32, "c" * 255, "d" * 256]
INTEGERS = [0, -1, -32, -33, 127, 128, 255, 256, 65_535, 65_536, 2**31, -(2**31) - 1, 2**32, 2**53 + 1, 2**63, 2**64 - 1, -(2**63)]
# A key's payload may have 8 kB. Longer payloads are slower, especially for the SDKs.
MAX_LEN = 1000
# Larger than MessagePack's integers.
BIGGER_INTEGERS = [2**64, -(2**63) - 1, 10**40]
FLOATS = [0.0, -0.0, 1.0, 0.1, -2.5, 1e-7, 5e-324, 1.7976931348623157e308, 1e16, 1e21, 123456789.125]


def meta(draw, encoding):
    """An object with a few members of any kind."""
    integers = INTEGERS + (BIGGER_INTEGERS if encoding == "json" else [])

    def value(depth):
        kind = draw.randrange(7 if depth < 4 else 4)
        if kind == 4:
            return [value(depth + 1) for _ in range(draw.choice([0, 1, 3, 16]) if depth < 2 else draw.randrange(3))]
        if kind > 4:
            return {draw.choice(TEXTS) + str(number): value(depth + 1) for number in range(draw.randrange(4))}
        return draw.choice([TEXTS, integers, FLOATS, [True, False, None]][kind])

    while True:
        members = draw.choice([0, 1, 1, 2, 3, 16])
        drawn = {draw.choice(TEXTS) + "k" * number: value(0) for number in range(members)}
        if len(json.dumps(drawn)) <= MAX_LEN:
            return drawn


def specification(draw, encoding):
    """The claims that a key must have."""
    return {
        "tenant": draw.choice(TENANTS) + str(draw.randrange(1000)),
        "scopes": draw.choices(SCOPES, k=draw.choice([0, 1, 2, 5, 17])),
        "environment": draw.choice(["production", "staging", "d\u00e9v"]),
        "expires_at": draw.choice([None, EXPIRY, 2**31, 2**33]),
        "not_before": draw.choice([None, 0, 1_700_000_000]),
        "meta": meta(draw, encoding),
    }


def for_node(spec):
    """Changes a specification for Node, which cannot issue a key that never expires: no expiry means 90 days."""
    return {**spec, "expires_at": spec["expires_at"] or EXPIRY}


def doubled(value):
    """The value in JavaScript: each number is a double, and members whose names are numbers come first."""
    if isinstance(value, dict):
        return {name: doubled(value[name]) for name in sorted(value)}
    if isinstance(value, list):
        return [doubled(member) for member in value]
    # JavaScript writes no sign for a zero.
    return float(value) + 0.0 if isinstance(value, (int, float)) and not isinstance(value, bool) else value


def issue_ours(specs, encoding):
    """Our keys, all from one process."""
    lines = "".join(json.dumps(spec, ensure_ascii=False) + "\n" for spec in specs)
    command, environment = [environ["ISSUE"], encoding], {**CLEAN, "APIKEE_SECRET": SECRET}
    done = subprocess.run(command, env=environment, input=lines, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()
