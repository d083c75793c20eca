"""The cases: a name, our required answer, and one or several requests that must all get it."""

import json
from typing import NamedTuple

from sdks import SECRET
from specs import EXPIRY
from web_keys import ALPHABET, PREVIOUS, altered, base62, has_short_tag, of_claims, of_payload, tag
from web_servers import NO_ANSWER, Answer

ROUTES = {
    "/read": ["read"],
    "/two": ["read", "write"],
    "/three": ["write", "read", "admin"],
    "/twice": ["write", "write"],
    "/text": ["\u00fc", 'a "b"'],
}
SIDE_BY_SIDE = ("express", "flask")

MISSING = Answer(401, "MISSING_KEY")
PREFIX = Answer(401, "INVALID_PREFIX")
FORMAT = Answer(401, "INVALID_FORMAT")
DECODE = Answer(401, "DECODE_ERROR")
MULTIPLE = Answer(401, "MULTIPLE_KEYS")
SIGNATURE = Answer(401, "INVALID_SIGNATURE")
EXPIRED = Answer(401, "EXPIRED")
NOT_YET = Answer(401, "NOT_YET_VALID")
GRANTED = "granted"
OPEN = "no key needed"


def lacks(*scopes):
    return Answer(403, "INSUFFICIENT_SCOPE", missing=sorted(scopes))


class Case(NamedTuple):
    name: str
    expected: object
    requests: list
    # The required claims for each request, if a specification defines them.
    specs: list | None = None
    beside: tuple = SIDE_BY_SIDE
    # The second in which the request must be sent and answered.
    second: int | None = None


def request(*fields, method="GET", target="/", body=b""):
    """The bytes of a request with these header fields."""
    length = [b"Content-Length: %d" % len(body)] if body else []
    lines = [f"{method} {target} HTTP/1.1".encode(), b"Host: localhost", b"Connection: close", *fields, *length]
    return b"\r\n".join(lines) + b"\r\n\r\n" + body


def field(key, name="x-api-key"):
    return f"{name}: {key}".encode()


def with_key(key, **rest):
    return request(field(key), **rest)


def of_bytes(*payloads):
    return [with_key(of_payload(payload)) for payload in payloads]


def of(**claims):
    return with_key(of_claims(**claims))


def whole(member):
    """A payload with this member and the members of every key."""
    return b'{"id":"0","tid":"acme-corp",%s,"exp":%d}' % (member, EXPIRY)


def crafted():
    """All cases except the keys that the makers issue."""
    key = of_claims()
    payload, made = key.removeprefix("apikee_").split(".")
    again = tag(b"another payload")
    too_large = base62(b"\1" + bytes(32))
    yield from [
        Case("no key", MISSING, [request(), request(method="POST", body=b"{}"), request(target="/read")]),
        Case("an empty key", MISSING, [request(b"x-api-key:"), request(b"x-api-key: "), request(b"x-api-key: \t ")]),
        Case(
            "another prefix",
            PREFIX,
            [with_key(text) for text in (payload, key.upper(), f"sk_{key}", f'"{key}"', f"Bearer {key}", "apikee", "0")],
        ),
        Case("no dot", FORMAT, [with_key(f"apikee_{text}") for text in ("", payload, "!")]),
        Case(
            "an invalid digit",
            DECODE,
            [with_key(f"apikee_{text}") for text in ("!.1", f"{payload}-.{made}", f"{payload}.{made}.{made}", f"{payload} .{made}", f"{payload}.{made};")],
        ),
        Case("an empty segment", DECODE, [with_key(f"apikee_{text}") for text in (".", f"{payload}.", f".{made}")]),
        Case("a tag of more than 32 bytes", DECODE, [with_key(f"apikee_{payload}.{text}") for text in (too_large, "z" * 43, made + "0")]),
        Case("a forged tag", SIGNATURE, [with_key(f"apikee_{payload}.{text}") for text in (altered(made), base62(again), "1", "0", made[:-1])]),
        Case("an altered payload", SIGNATURE, [with_key(f"apikee_{text}.{made}") for text in (altered(payload), payload + "0", "1", "0")]),
        Case("another secret", SIGNATURE, [with_key(of_claims(secret=text)) for text in ("another secret", "", SECRET + " ")]),
        Case("the previous secret", GRANTED, [with_key(of_claims(secret=PREVIOUS))]),
        Case("a tag that starts with zero bytes", GRANTED, [with_key(of_claims(zero_bytes=count)) for count in (1, 2)]),
        Case(
            "another spelling of a good key",
            DECODE,
            [with_key(f"apikee_{text}") for text in (f"0{payload}.{made}", f"{payload}.0{made}", f"000{payload}.00{made}")],
        ),
        Case("past its expiry", EXPIRED, [of(exp=time) for time in (1_700_000_000, 1, 0, -1)]),
        Case("not yet valid", NOT_YET, [of(nbf=EXPIRY), of(nbf=EXPIRY, exp=...)]),
        Case("past its expiry, and not yet valid", EXPIRED, [of(exp=1, nbf=EXPIRY)]),
        Case("past its expiry, with a forged tag", SIGNATURE, [with_key(altered(of_claims(exp=1)))]),
    ]
    yield from payload_cases()
    yield from scope_cases()
    yield from request_cases(key)


def payload_cases():
    """Payloads that are signed with the secret but may not be valid claims."""
    deep = lambda levels: b'"meta":' + b'{"m":' * levels + b"1" + b"}" * levels
    yield from [
        Case("absent claims", GRANTED, [of(tid=..., scp=..., env=..., exp=...), of(exp=...)]),
        Case("unknown members", GRANTED, [of(more=1, member={"s": []})]),
        Case("white space between members", GRANTED, of_bytes(b'{ "tid" : "acme-corp",\n"scp" : [ ] }')),
        Case("escapes", GRANTED, of_bytes(b'{"t\\u0069d":"caf\\u00e9 \\ud83d\\ude00 \\/","scp":["\\u0072ead"]}')),
        Case("16 levels of meta", GRANTED, of_bytes(whole(deep(15)))),
        Case("100 levels of meta", DECODE, of_bytes(whole(deep(100)))),
        Case("not JSON", DECODE, of_bytes(b"{", b"{]", b'{"tid":"a"', b"{'tid':'a'}", b'{"tid":"a",}', b'{"exp":01}')),
        Case("bytes after the claims", DECODE, of_bytes(whole(b'"a":1') + b"x", whole(b'"a":1') + b"{}")),
        Case("a payload that is not an object", DECODE, of_bytes(b"[]", b"1", b'"text"', b"true")),
        Case("a payload of null", DECODE, of_bytes(b"null")),
        Case("bytes that are not UTF-8", DECODE, of_bytes(whole(b'"env":"\xff"'))),
        Case("a number that JSON does not have", DECODE, of_bytes(whole(b'"meta":{"n":NaN}'))),
        Case("half a surrogate pair", DECODE, of_bytes(whole(b'"env":"\\ud800"'))),
        Case("a repeated member", DECODE, of_bytes(whole(b'"scp":[],"scp":["read"]'))),
        Case("an expiry of null", GRANTED, [of(exp=None)]),
        Case("an expiry that is text", DECODE, [of(exp="1"), of(exp="4102444800")]),
        Case("an expiry that is a list", DECODE, [of(exp=[EXPIRY])]),
        Case("an expiry that is true", DECODE, [of(exp=True)]),
        Case("an expiry that is a fraction", DECODE, [of(exp=EXPIRY + 0.5)]),
        Case("a start of null", GRANTED, [of(nbf=None)]),
        Case("a start that is text", DECODE, [of(nbf="1")]),
        Case("scopes that are text", DECODE, [of(scp="read")]),
        Case("scopes that are text, on a route that needs one", DECODE, [with_key(of_claims(scp="bread"), target="/read")]),
        Case("a tenant that is a number", DECODE, [of(tid=7)]),
        Case("meta that is a list", DECODE, [of(meta=[1])]),
        Case("claims of null", GRANTED, [of(**{name: None}) for name in ("tid", "scp", "env", "meta")]),
        Case("scopes of null, on a route that needs one", lacks("read"), [with_key(of_claims(scp=None), target="/read")]),
    ]


def timed(second):
    """Cases in the order of their times: in one second and in the next."""
    ends, starts = of(exp=second), of(nbf=second + 1)
    yield Case("in the second of its expiry", GRANTED, [ends], second=second)
    yield Case("in the second before its start", NOT_YET, [starts], second=second)
    yield Case("in the second after its expiry", EXPIRED, [ends], second=second + 1)
    yield Case("in the second of its start", GRANTED, [starts], second=second + 1)


def issued(whose, keys, specs, beside=SIDE_BY_SIDE):
    """Keys of a maker. Keys whose tags start with a zero byte are separate cases."""
    pairs = list(zip(keys, specs, strict=True))
    for short, name in [(False, f"keys of {whose}"), (True, f"keys of {whose} whose tags start with a zero byte")]:
        of_this = [(with_key(key), spec) for key, spec in pairs if has_short_tag(key) == short]
        if of_this:
            yield Case(name, GRANTED, [asked for asked, _ in of_this], [spec for _, spec in of_this], beside)


def scope_cases():
    at = lambda path, scopes: with_key(of_claims(scp=scopes), target=path)
    yield from [
        Case(
            "the scopes that a route needs",
            GRANTED,
            [
                at("/read", ["read"]),
                at("/read", ["write", "read", "read"]),
                at("/two", ["write", "read"]),
                at("/three", ["admin", "more", "read", "write"]),
                at("/twice", ["write"]),
                at("/text", ["\u00fc", 'a "b"']),
            ],
        ),
        Case("a scope is missing", lacks("read"), [at("/read", text) for text in ([], ["write"], ["READ"], ["read:users"], ["*"], ["read "], [""])]),
        Case("one of two scopes is missing", lacks("write"), [at("/two", ["read"])]),
        Case("several scopes are missing", lacks("write", "admin"), [at("/three", text) for text in (["read"], ["x", "read"])]),
        Case("a scope that is required twice is missing", lacks("write"), [at("/twice", ["read"])]),
        Case("scopes that need escapes are missing", lacks("\u00fc", 'a "b"'), [at("/text", ["read"])]),
        Case("past its expiry, and a scope is missing", EXPIRED, [with_key(of_claims(exp=1), target="/two")]),
        Case("no key, on a route that needs scopes", MISSING, [request(target="/two", method=method) for method in ("GET", "DELETE")]),
    ]


def request_cases(key):
    """Good keys in many kinds of requests."""
    good, other, expired = field(key), of_claims(tid="other"), of_claims(exp=1)
    body = json.dumps({"x-api-key": key}).encode()
    methods = ("POST", "PUT", "PATCH", "DELETE", "OPTIONS")
    excluded = ("/health", "/ready", "/metrics", "/health?", "/health?x=/read&y", "/metrics?x-api-key=1")
    near = ("/health/", "/Health", "/healthy", "/health/x", "/x/health", "/health;x", "/?/health", "/health%20", "/ready.")
    yield from [
        Case("other methods with a key", GRANTED, [request(good, method=method) for method in methods]),
        Case("other methods without a key", MISSING, [request(method=method) for method in methods]),
        Case("HEAD with a key", Answer(200), [request(good, method="HEAD")]),
        Case("HEAD without a key", Answer(401), [request(method="HEAD"), with_key(expired, method="HEAD")]),
        Case("HEAD, with a missing scope", Answer(403), [request(good, method="HEAD", target="/two")]),
        Case("a body beside a key", GRANTED, [request(good, method="POST", body=b"x" * 2000)]),
        Case("any path", GRANTED, [request(good, target=text) for text in ("/a/b?c=d", "/%2e%2e/x", "/caf%C3%A9")]),
        Case("the header name in upper and mixed case", GRANTED, [request(field(key, name)) for name in ("X-API-KEY", "X-Api-Key", "x-aPI-kEY")]),
        Case("white space before a key", GRANTED, [request(b"x-api-key:" + space + key.encode()) for space in (b"", b"  ", b"\t", b" \t ")]),
        Case("white space after a key", GRANTED, [request(good + space) for space in (b" ", b"\t", b" \t ")]),
        Case("the key in another place", MISSING, [
            request(field(key, "x-api-keys")),
            request(field(key, "x_api_key")),
            request(field(key, "api-key")),
            request(field(f"Bearer {key}", "authorization")),
            request(field(f"x-api-key={key}", "cookie")),
            request(target=f"/?x-api-key={key}"),
            request(target=f"/?api_key={key}&x-api-key={key}"),
            request(method="POST", body=body),
        ]),
        Case("other header fields beside a key", GRANTED, [request(good, field("x", "x-api-keys"), field(other, "x_api_key"), field("Bearer x", "authorization"))]),
        Case("paths that need no key", OPEN, [request(target=path) for path in excluded] + [request(target="/ready", method="POST")]),
        Case("a bad key on a path that needs no key", OPEN, [with_key(text, target="/health") for text in ("x", expired)]),
        Case("paths that are similar to those", MISSING, [request(target=path) for path in near]),
        Case("a path that needs no key, percent-encoded", MISSING, [request(target="/%68ealth")]),
        Case("a path that needs no key, with two slashes", MISSING, [request(target="//health")]),
        Case("a path that needs no key, as a whole URL", MISSING, [request(target="http://localhost/health")]),
        Case("a key with a whole URL as the target", GRANTED, [request(good, target="http://localhost/x?y")]),
        Case("the same key twice", MULTIPLE, [request(good, good), request(good, field(key, "X-API-Key")), request(good, good, good)]),
        Case("two good keys", MULTIPLE, [request(good, field(other)), request(field(other), good)]),
        Case("a good key, then a bad one", MULTIPLE, [request(good, field(text)) for text in ("x", expired, altered(key))]),
        Case("a bad key, then a good one", MULTIPLE, [request(field(text), good) for text in (expired, altered(key), "apikee_1.1")]),
        Case("a key and an empty field", MULTIPLE, [request(good, b"x-api-key:")]),
        Case("an empty field and a key", MULTIPLE, [request(b"x-api-key:", good)]),
        Case("two empty fields", MULTIPLE, [request(b"x-api-key:", b"x-api-key:")]),
        Case("another prefix, then a good key", MULTIPLE, [request(field("x"), good)]),
        Case("two keys without a dot", MULTIPLE, [request(field("apikee_1"), field("apikee_1"))]),
        Case("two keys in one field", MULTIPLE, [with_key(f"{key}, {other}"), with_key(f"{key} {key}"), with_key(f"{key},")]),
        Case("a key of 8 kB", GRANTED, [of(tid="a" * 5800), of(meta={"m": ["\u00e9" * 2000, 1]})]),
        Case("a forged key of 8 kB", SIGNATURE, [with_key(altered(of_claims(tid="a" * 5800)))]),
        Case("a key of 12 kB", DECODE, [of(tid="a" * 8900)]),
        Case("8 kB of digits", FORMAT, [with_key("apikee_" + ALPHABET * 130)]),
        Case("a key of 20 kB", DECODE, [with_key("apikee_" + "z" * 20_000 + ".z")]),
        Case("a key of 70 kB", DECODE, [with_key("apikee_" + "z" * 70_000 + ".z")]),
        Case("a byte that is not ASCII in a key", NO_ANSWER, [request(good + b"\xe9")]),
        Case("white space before the colon", Answer(400), [request(b"x-api-key : " + key.encode())]),
    ]
