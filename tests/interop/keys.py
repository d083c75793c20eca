"""Keys of ours in the SDKs, and theirs in ours: 2,000 each way, with the same claims."""

import json
import os
import random
import subprocess
import sys
from datetime import datetime, timezone

# As if msgpack were not installed: the SDK then writes JSON.
ENCODING = sys.argv[1]
if ENCODING == "json":
    sys.modules["msgpack"] = None

from apikee.core import ApikeeError
from apikee.key import ApikeeKey, KeyOptions

COUNT = 2000
SECRET = "a secret of the interoperability tests"
APIKEE = os.environ["APIKEE"]
NODE = ["node", os.path.join(os.path.dirname(__file__), "keys.mjs")]
TENANTS = ["acme-corp", 'ten"ant\\', "caf\u00e9", "\u65e5\u672c", "\U0001f600", "line\nbreak\t\u0001", "a" * 300]
SCOPES = ["read", "write", "read:users", "\u00fc", "a b"]
EXPIRY = 4_102_444_800

draw = random.Random(7)


def specification():
    """What a key shall say."""
    return {
        "tenant": draw.choice(TENANTS) + str(draw.randrange(1000)),
        "scopes": draw.choices(SCOPES, k=draw.randrange(5)),
        "environment": draw.choice(["production", "staging", "d\u00e9v"]),
        "expires_at": draw.choice([None, EXPIRY]),
        "not_before": draw.choice([None, 1_700_000_000]),
        "meta": draw.choice([{}, {"plan": "pro"}, {"n": [1, 2.5, -3, True, None], "o": {"\u00e9": "/"}}]),
    }


def moment(seconds):
    return None if seconds is None else datetime.fromtimestamp(seconds, tz=timezone.utc)


def issue_ours(spec):
    arguments = ["--tenant", spec["tenant"], "--env", spec["environment"], "--meta", json.dumps(spec["meta"])]
    for scope in spec["scopes"]:
        arguments += ["--scope", scope]
    for option, time in [("--expires", spec["expires_at"]), ("--not-before", spec["not_before"])]:
        if time is not None:
            arguments += [option, moment(time).strftime("%Y-%m-%dT%H:%M:%SZ")]
        elif option == "--expires":
            arguments += [option, "never"]
    environment = {"APIKEE_SECRET": SECRET}
    done = subprocess.run([APIKEE, "issue", *arguments], env=environment, check=True, capture_output=True, text=True)
    return done.stdout.strip()


def verify_ours(keys):
    lines = "\n".join(keys) + "\n"
    environment = {"APIKEE_SECRET": SECRET}
    done = subprocess.run([APIKEE, "verify", "--json"], env=environment, input=lines, capture_output=True, text=True)
    return [json.loads(line) for line in done.stdout.splitlines()]


def node(what, argument):
    environment = {**os.environ, "SECRET": SECRET}
    done = subprocess.run([*NODE, what], env=environment, input=json.dumps(argument), check=True, capture_output=True, text=True)
    return json.loads(done.stdout)


def same(what, said, spec):
    for name, expected in spec.items():
        assert said[name] == expected, f"{what}: {name} is {said[name]!r}, not {expected!r}"


def verify_in_python(engine, key):
    claims = engine.verify(key)
    seconds = lambda time: None if time is None else int(time.timestamp())
    return {
        "tenant": claims.tenant,
        "scopes": claims.scopes,
        "environment": claims.environment,
        "expires_at": seconds(claims.expires_at),
        "not_before": seconds(claims.not_before),
        "meta": claims.meta,
    }


def refused_by_itself(engine, key):
    """WIRE.md, "Keys": the SDKs refuse those of their keys whose signature starts with a zero byte."""
    try:
        engine.verify(key)
        return False
    except ApikeeError as error:
        assert error.code == "INVALID_SIGNATURE", error.code
        return True


def check_theirs(whose, keys, specs):
    answers = verify_ours(keys)
    assert len(answers) == len(keys), f"{len(answers)} answers for {len(keys)} keys"
    for answer, spec in zip(answers, specs):
        assert answer["ok"], f"{whose}: {answer}"
        same(whose, answer, spec)


def main():
    engine = ApikeeKey([SECRET])
    specs = [specification() for _ in range(COUNT)]

    if ENCODING == "json":
        ours = [issue_ours(spec) for spec in specs]
        for key, spec in zip(ours, specs):
            same("ours, in Python", verify_in_python(engine, key), spec)
        print(f"{COUNT} keys of ours verify in the Python SDK")
        for said, spec in zip(node("verify", ours), specs, strict=True):
            same("ours, in Node", said, spec)
        print(f"{COUNT} keys of ours verify in the Node SDK")
        # To Node no expiry means 90 days; it issues no key that never expires.
        of_node = [{**spec, "expires_at": EXPIRY} for spec in specs]
        check_theirs("Node's", node("issue", of_node), of_node)
        print(f"{COUNT} keys of the Node SDK verify in ours")

    theirs = [
        engine.create(
            KeyOptions(
                tenant=spec["tenant"],
                scopes=spec["scopes"],
                expires_in=moment(spec["expires_at"]),
                not_before=moment(spec["not_before"]),
                environment=spec["environment"],
                meta=spec["meta"],
            )
        )
        for spec in specs
    ]
    check_theirs("Python's", theirs, specs)
    refused = sum(refused_by_itself(engine, key) for key in theirs)
    print(f"{COUNT} keys of the Python SDK ({ENCODING}) verify in ours; itself it refuses {refused} of them")


main()
