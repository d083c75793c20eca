"""Compares our guard with the published middlewares: the same requests and keys must get the same answers.

`web_differences.py` lists all other answers. A listed difference must exist.
"""

import random
import signal
import sys
import time
from collections import Counter, defaultdict

import makers
from sdks import NODE, SECRET, Published
from specs import for_node, issue_ours
from web_cases import GRANTED, OPEN, ROUTES, Case, crafted, issued, timed, with_key
from web_differences import DIFFERENCES
from web_keys import PREVIOUS, has_short_tag, of_claims
from web_servers import Answer, Services

# Number of keys from each maker.
COUNT = 200
# 1 in 256 tags starts with a zero byte. The probability of no such tag in these rounds is 1 in 10^17.
ROUNDS = 50
SAME = "the same"


class Late(Exception):
    """The second ended before all answers had arrived."""


def until_short(published, specs):
    """A key of a published SDK for each specification. At least one of the tags starts with a zero byte."""
    pairs = list(zip(makers.issue(published, specs), specs, strict=True))
    for _ in range(ROUNDS):
        if any(has_short_tag(key) for key, _ in pairs):
            return zip(*pairs)
        pairs += [pair for pair in zip(makers.issue(published, specs), specs, strict=True) if has_short_tag(pair[0])]
    raise AssertionError("no tag of this SDK starts with a zero byte")


def by_makers():
    """Keys of all makers."""
    draw = random.Random(11)
    specs = [makers.specification(draw) for _ in range(COUNT)]
    ours = issue_ours(specs, "json")
    assert not any(map(has_short_tag, ours)), "ours issues a key that the SDKs refuse"
    yield from issued("ours", ours, specs)
    yield from issued("the Node SDK", *until_short(NODE, [for_node(spec) for spec in specs]))
    for encoding, whose, beside in [
        ("json", "the Python SDK", ("express", "flask")),
        ("msgpack", "the Python SDK with msgpack", ("express", "flask", "flask+msgpack")),
    ]:
        yield from issued(whose, *until_short(Published("0.1.2", encoding), specs), beside)
    yield Case("JSON, with msgpack installed", GRANTED, [with_key(of_claims())], beside=("flask+msgpack",))


def is_expected(case, number, answer):
    """Whether our answer is the required one."""
    if case.expected is OPEN:
        return answer == Answer(200)
    if case.expected is not GRANTED:
        return answer == case.expected
    spec = case.specs[number] if case.specs else {}
    claims = answer.claims or {}
    return answer.status == 200 and "id" in claims and all(claims[name] == value for name, value in spec.items())


def difference(theirs, ours):
    if theirs == ours:
        return SAME
    if (theirs.status, theirs.code) != (ours.status, ours.code):
        return str(theirs)
    return f"{theirs.status} other {'claims' if theirs.missing is None else 'scopes'}"


def ask(services, case):
    """The answers of all servers to each request of a case."""
    if case.second is not None:
        time.sleep(max(0, case.second - time.time()))
    answers = [services.ask(("ours", *case.beside), request) for request in case.requests]
    if case.second is not None and int(time.time()) != case.second:
        raise Late
    return case, answers


def ask_in_time(services):
    """Sends keys in the first and last seconds in which they are good."""
    for _ in range(5):
        try:
            return [ask(services, case) for case in timed(int(time.time()) + 1)]
        except Late:
            continue
    raise AssertionError("these services never answer within a second")


def compare(asked):
    """Returns all unexpected answers."""
    seen, listed, wrong = defaultdict(set), {}, []
    for case, answers in asked:
        for number, answer in enumerate(answers):
            ours = answer.pop("ours")
            if not is_expected(case, number, ours):
                wrong.append(f"{case.name} ({number}): ours answers {ours} {ours.missing or ''}")
            for name, theirs in answer.items():
                seen[case.name, name].add(difference(theirs, ours))
    for entry in DIFFERENCES:
        for name, answer in entry.answers.items():
            assert (entry.case, name) not in listed, f"{entry.case}, {name}: listed twice"
            listed[entry.case, name] = answer
    for case, name in seen.keys() | listed.keys():
        said, expected = seen[case, name], listed.get((case, name), SAME)
        if said != {expected}:
            wrong.append(f"{case}: {name} answers {' and '.join(sorted(said)) or 'nothing'}, not {expected}")
    return sorted(wrong)


def main():
    # So that the services are stopped.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("stopped"))
    cases = [*crafted(), *by_makers()]
    names = Counter(case.name for case in cases)
    assert max(names.values()) == 1, f"names that are not unique: {names.most_common(3)}"
    with Services([SECRET, PREVIOUS], ROUTES) as services:
        asked = [ask(services, case) for case in cases] + ask_in_time(services)
    requests = sum(len(case.requests) for case, _ in asked)
    wrong = compare(asked)
    if wrong:
        sys.exit("\n".join(wrong))
    of = Counter(entry.basis for entry in DIFFERENCES)
    print(
        f"{len(asked)} cases, {requests} requests: our guard answers like the published Express and Flask middlewares, "
        f"except for the {of.total()} differences listed ({', '.join(f'{count} for {basis}' for basis, count in of.items())})"
    )


main()
