"""Handmade keys with any payload and any tag."""

import hashlib
import hmac
import itertools
import json

from sdks import SECRET
from specs import EXPIRY

PREVIOUS = "the secret before that"
ALPHABET = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
TAG_LEN = 32


def base62(data):
    number, text = int.from_bytes(data, "big"), ""
    while number:
        number, digit = divmod(number, 62)
        text = ALPHABET[digit] + text
    return text or "0"


def tag(payload, secret=SECRET):
    return hmac.new(secret.encode(), payload, hashlib.sha256).digest()


def spell(payload, tag):
    return f"apikee_{base62(payload)}.{base62(tag)}"


def of_payload(payload, secret=SECRET):
    """A key with exactly these bytes."""
    made = tag(payload, secret)
    assert made[0], "this payload's tag starts with a zero byte, which is a separate case: change the payload"
    return spell(payload, made)


def payloads(**claims):
    """Payloads that differ only in their ids. A claim with the value `...` is left out."""
    whole = {"id": "", "tid": "acme-corp", "scp": ["read"], "env": "production", "exp": EXPIRY, **claims}
    for number in itertools.count():
        whole["id"] = f"{number:022}"
        said = {name: value for name, value in whole.items() if value is not ...}
        yield json.dumps(said, separators=(",", ":"), ensure_ascii=False).encode()


def of_claims(secret=SECRET, zero_bytes=0, **claims):
    """A key whose tag starts with exactly this number of zero bytes."""
    for payload in payloads(**claims):
        made = tag(payload, secret)
        if len(made.lstrip(b"\0")) == TAG_LEN - zero_bytes:
            return spell(payload, made)


def has_short_tag(key):
    """Whether its tag starts with a zero byte."""
    number = 0
    for digit in key.rsplit(".", 1)[1]:
        number = number * 62 + ALPHABET.index(digit)
    return number >> (8 * (TAG_LEN - 1)) == 0


def altered(segment):
    """The key with a changed digit in its middle."""
    at = len(segment) // 2
    return segment[:at] + ("b" if segment[at] == "a" else "a") + segment[at + 1 :]
