"""Issues keys with the Python SDK and with the Node SDK, for `web.py`."""

from sdks import Sdk
from specs import EXPIRY

TENANTS = ["acme-corp", 'ten"ant\\', "caf\u00e9", "\u65e5\u672c", "\U0001f600", "line\nbreak\t\u0001", "a" * 300]
SCOPES = ["read", "write", "read:users", "\u00fc", "a b"]


def specification(draw):
    """The claims that a key must have."""
    return {
        "tenant": draw.choice(TENANTS) + str(draw.randrange(1000)),
        "scopes": draw.choices(SCOPES, k=draw.randrange(5)),
        "environment": draw.choice(["production", "staging", "d\u00e9v"]),
        "expires_at": draw.choice([None, EXPIRY]),
        "not_before": draw.choice([None, 1_700_000_000]),
        "meta": draw.choice([{}, {"plan": "pro"}, {"n": [1, 2.5, -3, True, None], "o": {"\u00e9": "/"}}]),
    }


def issue(published, specs):
    """Keys of a published SDK."""
    with Sdk(published) as sdk:
        return sdk.issue(specs)
