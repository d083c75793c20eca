"""Keys of ours in the SDKs, and theirs in ours: 2,000 each way, with the same claims."""

import json
import random
import subprocess
import sys

from makers import APIKEE, SECRET, issue_in_python, issue_ours, node, of_node, python_sdk, specification

ENCODING = sys.argv[1]
SDK = python_sdk(ENCODING)

from apikee.core import ApikeeError

COUNT = 2000

draw = random.Random(7)


def verify_ours(keys):
    lines = "\n".join(keys) + "\n"
    environment = {"APIKEE_SECRET": SECRET}
    done = subprocess.run([APIKEE, "verify", "--json"], env=environment, input=lines, capture_output=True, text=True)
    return [json.loads(line) for line in done.stdout.splitlines()]


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
    """docs/WIRE.md, "Keys": the SDKs refuse those of their keys whose signature starts with a zero byte."""
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
    engine = SDK.ApikeeKey([SECRET])
    specs = [specification(draw) for _ in range(COUNT)]

    if ENCODING == "json":
        ours = [issue_ours(spec) for spec in specs]
        for key, spec in zip(ours, specs):
            same("ours, in Python", verify_in_python(engine, key), spec)
        print(f"{COUNT} keys of ours verify in the Python SDK")
        for said, spec in zip(node("verify", ours), specs, strict=True):
            same("ours, in Node", said, spec)
        print(f"{COUNT} keys of ours verify in the Node SDK")
        check_theirs("Node's", node("issue", of_node(specs)), of_node(specs))
        print(f"{COUNT} keys of the Node SDK verify in ours")

    theirs = [issue_in_python(SDK, spec) for spec in specs]
    check_theirs("Python's", theirs, specs)
    refused = sum(refused_by_itself(engine, key) for key in theirs)
    print(f"{COUNT} keys of the Python SDK ({ENCODING}) verify in ours; itself it refuses {refused} of them")


main()
