"""Verifies our keys with each SDK, and the SDK's keys with our crate: 2,000 in each direction and encoding.

An SDK may differ only where docs/WIRE.md says so ("Keys"), and each such key is counted.
"""

import json
import random
from concurrent.futures import ThreadPoolExecutor

from sdks import ALL, SECRET, Sdk, Wrong, ours
from specs import doubled, for_node, issue_ours, specification
from web_keys import has_short_tag

COUNT = 2000
# The number of keys that are also checked with leading zeros, in two spellings each.
SPELT = 200
ENCODINGS = ["json", "msgpack"]
MEMBERS = ["tenant", "scopes", "environment", "expires_at", "not_before", "meta"]


def verify_ours(keys):
    lines = ours("verify", "--json", keys="\n".join(keys) + "\n").stdout.splitlines()
    assert len(lines) == len(keys), f"{len(lines)} answers for {len(keys)} keys"
    return [json.loads(line) for line in lines]


def text(claims):
    """The exact text of the claims: 1 and 1.0 differ, and the order of members counts."""
    return json.dumps([claims.get(name) for name in MEMBERS])


def check(what, said, spec, published):
    if published.is_node:
        said, spec = {**said, "meta": doubled(said.get("meta"))}, {**spec, "meta": doubled(spec["meta"])}
    if "raised" in said or text(said) != text(spec):
        raise Wrong(f"{what}: said {said}, not {spec}")


def all_raise(what, answers, code):
    """Counts the refused keys. All must be refused."""
    if (others := [answer for answer in answers if answer != {"raised": code}]) or not answers:
        raise Wrong(f"{what}: {len(others)} are not refused with {code}, the first says {others[:1]}")
    return len(answers)


def with_a_zero(key):
    """Two other spellings of a key."""
    payload, tag = key.removeprefix("apikee_").split(".")
    return [f"apikee_0{payload}.{tag}", f"apikee_{payload}.0{tag}"]


def compare(published, specs, made):
    """A row of the table: equal results, and the expected differences."""
    encoding = published.encoding
    with Sdk(published, APIKEE_SECRET=SECRET) as sdk:
        for said, spec in zip(sdk.verify(made[encoding]), specs[encoding], strict=True):
            check(f"our key in {published.name}", said, spec, published)

        wanted = [for_node(spec) for spec in specs[encoding]] if published.is_node else specs[encoding]
        theirs = sdk.issue(wanted)
        for said, spec in zip(verify_ours(theirs), wanted, strict=True):
            if not said["ok"]:
                raise Wrong(f"a key of {published.name} in our crate: {said}, not {spec}")
            check(f"a key of {published.name} in our crate", said, spec, published)

        # "reject 1 in 256 of the keys that they issued": exactly the keys with short tags.
        short = 0
        for key, said, spec in zip(theirs, sdk.verify(theirs), wanted, strict=True):
            if has_short_tag(key):
                short += all_raise(f"{published.name}, tags with a leading zero", [said], "INVALID_SIGNATURE")
            else:
                check(f"a key of {published.name} in itself", said, spec, published)

        # "JSON only where it is not". Node always reads only JSON.
        other = next(name for name in ENCODINGS if name != encoding)
        unread = all_raise(f"{published.name}, our keys in {other}", sdk.verify(made[other]), "DECODE_ERROR")

        # "The SDKs accept any number of them": our crate accepts none.
        zeros = [spelling for key in made[encoding][:SPELT] for spelling in with_a_zero(key)]
        twice = [spec for spec in specs[encoding][:SPELT] for _ in range(2)]
        for said, spec in zip(sdk.verify(zeros), twice, strict=True):
            check(f"a leading zero in {published.name}", said, spec, published)
        if codes := {said.get("code") for said in verify_ours(zeros)} - {"DECODE_ERROR"}:
            raise Wrong(f"ours accepts leading zeros: {codes}")
    return [published.name, COUNT, COUNT, short, unread, len(zeros)]


def main():
    draw = random.Random(7)
    specs = {encoding: [specification(draw, encoding) for _ in range(COUNT)] for encoding in ENCODINGS}
    made = {encoding: issue_ours(specs[encoding], encoding) for encoding in ENCODINGS}
    wrong, rows = [], []
    for encoding, keys in made.items():
        for said, spec in zip(verify_ours(keys), specs[encoding], strict=True):
            if text(said) != text(spec):
                wrong.append(f"our key in our crate ({encoding}): {said}, not {spec}")
    # By chance, about 16 of 4,000 keys would have tags that start with a zero byte.
    if any(has_short_tag(key) for keys in made.values() for key in keys):
        wrong.append("ours issues keys that the SDKs refuse")
    with ThreadPoolExecutor(2) as pool:
        for published, future in [(published, pool.submit(compare, published, specs, made)) for published in ALL]:
            try:
                rows.append(future.result())
            except Wrong as difference:
                wrong.append(str(difference))
    return wrong, rows


HEAD = ["SDK", "ours in it", "its in ours", "refuses its own", "other encoding", "leading zeros"]
LEGEND = f"""The first two columns count keys with the same claims on both sides. The others count what docs/WIRE.md says about the SDKs:
the SDK's own keys that it refuses, because their tags start with a zero byte; our keys in the other encoding, which it
cannot read; spellings with leading zeros, which it accepts and our crate refuses."""
