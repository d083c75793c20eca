"""Times the published Python SDK: the nanoseconds to verify a key that it has issued, measured in rounds."""

import json
import statistics
import time

from apikee.key import ApikeeKey, KeyOptions

ROUNDS, EACH = 101, 200

engine = ApikeeKey(["2014e90b82285ea7888b4a091409ecfcd6a6536fc62d5dcf3e1fd31f6bf54ea1"])
key = engine.create(KeyOptions(tenant="acme-corp", scopes=["read", "write"], meta={"plan": "professional"}))
assert engine.verify(key).tenant == "acme-corp"


def round_of():
    start = time.perf_counter_ns()
    for _ in range(EACH):
        engine.verify(key)
    return (time.perf_counter_ns() - start) / EACH


times = [round_of() for _ in range(ROUNDS)]
print(json.dumps({"fastest": min(times), "median": statistics.median(times)}))
