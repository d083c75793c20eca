"""Keys of three makers, of the same specifications: ours, the Python SDK's and the Node SDK's."""

import importlib
import json
import os
import subprocess
import sys
from datetime import datetime, timezone

SECRET = "a secret of the interoperability tests"
APIKEE = os.environ["APIKEE"]
NODE = ["node", os.path.join(os.path.dirname(__file__), "keys.mjs")]
TENANTS = ["acme-corp", 'ten"ant\\', "caf\u00e9", "\u65e5\u672c", "\U0001f600", "line\nbreak\t\u0001", "a" * 300]
SCOPES = ["read", "write", "read:users", "\u00fc", "a b"]
EXPIRY = 4_102_444_800


def specification(draw):
    """What a key shall say."""
    return {
        "tenant": draw.choice(TENANTS) + str(draw.randrange(1000)),
        "scopes": draw.choices(SCOPES, k=draw.randrange(5)),
        "environment": draw.choice(["production", "staging", "d\u00e9v"]),
        "expires_at": draw.choice([None, EXPIRY]),
        "not_before": draw.choice([None, 1_700_000_000]),
        "meta": draw.choice([{}, {"plan": "pro"}, {"n": [1, 2.5, -3, True, None], "o": {"\u00e9": "/"}}]),
    }


def of_node(specs):
    """To Node no expiry means 90 days; it issues no key that never expires."""
    return [{**spec, "expires_at": EXPIRY} for spec in specs]


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


def node(what, argument):
    """What `keys.mjs` says: `issue` for specifications, `verify` for keys."""
    environment = {**os.environ, "SECRET": SECRET}
    done = subprocess.run([*NODE, what], env=environment, input=json.dumps(argument), check=True, capture_output=True, text=True)
    return json.loads(done.stdout)


def python_sdk(encoding):
    """`apikee.key` as it is imported where msgpack is not installed, which then writes `json`, or where it is."""
    for name in [name for name in sys.modules if name.split(".")[0] in ("apikee", "msgpack")]:
        del sys.modules[name]
    if encoding == "json":
        sys.modules["msgpack"] = None
    return importlib.import_module("apikee.key")


def issue_in_python(sdk, spec):
    options = sdk.KeyOptions(
        tenant=spec["tenant"],
        scopes=spec["scopes"],
        expires_in=moment(spec["expires_at"]),
        not_before=moment(spec["not_before"]),
        environment=spec["environment"],
        meta=spec["meta"],
    )
    return sdk.ApikeeKey([SECRET]).create(options)
