"""All cases in which a published middleware answers differently from our guard, with the reason.

A listed case must get exactly the listed answer. Any other case must get our answer.
"""

from typing import NamedTuple

# The reason for our answer.
WIRE = "docs/WIRE.md"
FRAMEWORK = "how the framework reads a request"
OURS = "the guard's own rules"


class Difference(NamedTuple):
    case: str
    answers: dict
    basis: str
    # What docs/WIRE.md says, in other words, or our own rule.
    why: str


def both(answer):
    return {"express": answer, "flask": answer}


SEGMENTS = "a segment is empty, too long, not base62, or spelt with leading zeros: `DECODE_ERROR`"
SHORT_TAGS = "The published SDKs don't, and reject 1 in 256 of the keys that they issued."
SPELLINGS = "The SDKs accept any number of them, so one key has endless spellings and slips past deny-lists of fingerprints."
CLAIMS = (
    "the signed payload is not a well-formed claims object (wrong types, duplicate members, bad UTF-8, trailing bytes, "
    "nesting past a small fixed limit that is at least 16): `DECODE_ERROR`"
)
EXPIRY = "Node ignores an `exp` of the wrong type, which makes the key eternal; Python dies of an uncaught TypeError."
NULL = "absent or null means"
LENGTH = "Check the length first: a key longer than the caller's buffer can hold is an error before any arithmetic."
MSGPACK = "The Python SDK writes MessagePack when `msgpack` is installed (`apikee[fast]`); Node cannot read those."
EITHER = "Read both; tell them apart by the first byte."
TWO_FIELDS = "two keys are refused without reading them, with their own code; the frameworks join two fields to one value, whose start decides"

REFUSED, GRANTED, DIES = "401 INVALID_SIGNATURE", "200 granted", "500 no code"
UNREAD = "401 DECODE_ERROR"

DIFFERENCES = [
    Difference("an empty segment", both(REFUSED), WIRE, SEGMENTS),
    Difference("a tag of more than 32 bytes", both(REFUSED), WIRE, SEGMENTS),
    Difference("a tag that starts with zero bytes", both(REFUSED), WIRE, SHORT_TAGS),
    Difference("keys of the Python SDK whose tags start with a zero byte", both(REFUSED), WIRE, SHORT_TAGS),
    Difference("keys of the Node SDK whose tags start with a zero byte", both(REFUSED), WIRE, SHORT_TAGS),
    Difference(
        "keys of the Python SDK with msgpack whose tags start with a zero byte",
        {**both(REFUSED), "flask+msgpack": REFUSED},
        WIRE,
        SHORT_TAGS,
    ),
    Difference("another spelling of a good key", both(GRANTED), WIRE, SPELLINGS),
    Difference("keys of the Python SDK with msgpack", both(UNREAD), WIRE, MSGPACK),
    Difference("JSON, with msgpack installed", {"flask+msgpack": UNREAD}, WIRE, EITHER),
    Difference("100 levels of meta", both(GRANTED), WIRE, CLAIMS),
    Difference("a payload that is not an object", {"express": GRANTED, "flask": DIES}, WIRE, CLAIMS),
    Difference("a payload of null", {"express": "401 UNKNOWN", "flask": DIES}, WIRE, CLAIMS),
    Difference("bytes that are not UTF-8", {"express": GRANTED}, WIRE, CLAIMS),
    Difference("a number that JSON does not have", {"flask": GRANTED}, WIRE, CLAIMS),
    Difference("half a surrogate pair", both(GRANTED), WIRE, CLAIMS),
    Difference("a repeated member", both(GRANTED), WIRE, CLAIMS),
    Difference("an expiry of null", {"flask": DIES}, WIRE, NULL),
    Difference("an expiry that is text", {"express": GRANTED, "flask": DIES}, WIRE, EXPIRY),
    Difference("an expiry that is a list", {"express": GRANTED, "flask": DIES}, WIRE, EXPIRY),
    Difference("an expiry that is true", {"express": GRANTED, "flask": "401 EXPIRED"}, WIRE, CLAIMS),
    Difference("an expiry that is a fraction", both(GRANTED), WIRE, CLAIMS),
    Difference("a start of null", {"flask": DIES}, WIRE, NULL),
    Difference("a start that is text", {"express": GRANTED, "flask": DIES}, WIRE, CLAIMS),
    Difference("scopes that are text", both(GRANTED), WIRE, CLAIMS),
    Difference(
        "scopes that are text, on a route that needs one",
        # For Node, "bread" contains "read".
        {"express": GRANTED, "flask": "403 INSUFFICIENT_SCOPE"},
        WIRE,
        CLAIMS,
    ),
    Difference("a tenant that is a number", both(GRANTED), WIRE, CLAIMS),
    Difference("meta that is a list", both(GRANTED), WIRE, CLAIMS),
    Difference("claims of null", {"flask": "200 other claims"}, WIRE, NULL),
    Difference("scopes of null, on a route that needs one", {"flask": DIES}, WIRE, NULL),
    Difference("a key of 12 kB", both(GRANTED), WIRE, LENGTH),
    Difference("a key of 20 kB", {"express": "431 no code"}, FRAMEWORK, "Node reads at most 16 kB of header"),
    Difference("a key of 20 kB", {"flask": REFUSED}, WIRE, LENGTH),
    Difference(
        "a key of 70 kB", both("431 no code"), FRAMEWORK, "Node reads at most 16 kB of header, Python's http.server at most 64 kB of a line"
    ),
    Difference(
        "white space after a key",
        {"flask": UNREAD},
        FRAMEWORK,
        "Python's http.server keeps white space that is not part of the value (RFC 9110, section 5.5)",
    ),
    Difference("a path that needs no key, percent-encoded", {"flask": GRANTED}, FRAMEWORK, "WSGI decodes a path"),
    Difference("a path that needs no key, with two slashes", {"flask": GRANTED}, FRAMEWORK, "Werkzeug merges two slashes"),
    Difference(
        "a byte that is not ASCII in a key", both(UNREAD), FRAMEWORK, "tiny_http closes the connection if a header is not ASCII"
    ),
    Difference(
        "white space before the colon",
        {"flask": "401 MISSING_KEY"},
        FRAMEWORK,
        "Node and tiny_http refuse that; for Werkzeug, the space is part of the name",
    ),
    Difference("the same key twice", both(UNREAD), OURS, TWO_FIELDS),
    Difference("two good keys", both(UNREAD), OURS, TWO_FIELDS),
    Difference("a good key, then a bad one", both(UNREAD), OURS, TWO_FIELDS),
    Difference("a bad key, then a good one", both(UNREAD), OURS, TWO_FIELDS),
    Difference("a key and an empty field", both(UNREAD), OURS, TWO_FIELDS),
    Difference("two keys in one field", both(UNREAD), OURS, TWO_FIELDS),
    Difference("an empty field and a key", both("401 INVALID_PREFIX"), OURS, TWO_FIELDS),
    Difference("two empty fields", both("401 INVALID_PREFIX"), OURS, TWO_FIELDS),
    Difference("another prefix, then a good key", both("401 INVALID_PREFIX"), OURS, TWO_FIELDS),
    Difference("two keys without a dot", both("401 INVALID_FORMAT"), OURS, TWO_FIELDS),
    Difference(
        "a path that needs no key, as a whole URL", both(GRANTED), OURS, "a path is excluded byte for byte, and this target is a URL"
    ),
]
