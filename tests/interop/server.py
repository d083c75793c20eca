"""Server mode of the Python SDK, unmodified but for its two placeholders, against our platform on loopback."""

import json
import os
import subprocess
import tempfile

import apikee.crypto
import apikee.server
from apikee.core import Apikee
from apikee.server import ApikeeServer, ServerConfig

APIKEE = os.environ["APIKEE"]
LIMITED = "11111111-2222-4333-8444-555555555555"
LISTED = "22222222-2222-4333-8444-555555555555"
UNKNOWN = "33333333-2222-4333-8444-555555555555"


class Platform:
    """`apikee platform`, and what it has seen."""

    def __init__(self, *arguments):
        self.log = tempfile.NamedTemporaryFile()
        command = [APIKEE, "platform", "--json", "--sealing", "requests", "--log", self.log.name, *arguments]
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        self.told = json.loads(self.process.stdout.readline())
        # The placeholders.
        apikee.server._BASE_URL = self.told["url"]
        apikee.crypto._SERVER_PUBLIC_KEY_B64 = standard(self.told["public_key"])

    def sdk(self, **options):
        key, slug = self.told["project_key"], self.told["project_env"]
        return ApikeeServer(ServerConfig(server_key=key, project_env=slug, **options))

    def seen(self):
        with open(self.log.name, encoding="utf-8") as log:
            return [json.loads(line) for line in log]

    def last(self):
        return self.seen()[-1]

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.kill()
        self.process.wait()


def standard(text):
    """base64url without padding, as the SDK's own constant is spelt."""
    return text.replace("-", "+").replace("_", "/") + "=" * (-len(text) % 4)


def validate(sdk, client, headers=None):
    return sdk.validate(client, "default", "GET", "/users", headers or {"user-agent": "curl/8.5.0"}, {"n": 1})


def check(what, holds):
    assert holds, what
    print(f"  {what}")


def main():
    with Platform() as platform:
        sdk = platform.sdk()
        record = sdk.create_client_with_key("caf\u00e9 corp", meta={"plan": "pro"})
        client = record["id"]
        check("a client that the SDK creates has an id", len(client) == 36)
        seen = platform.last()
        check("and the platform has opened what it was sent", seen["body"]["name"] == "caf\u00e9 corp")

        answer = validate(sdk, client, {"user-agent": "curl/8.5.0", "x-api-key": "apikee_1111222233334444.1"})
        check("a validation succeeds, and names the client", answer.success and answer.client_id == client)
        seen = platform.last()
        body = seen["body"]
        check("the platform saw the route", seen["method_path"] == "GET:::/users")
        check("and headers and payload", (body["headers"]["user-agent"], body["payload"]) == ("curl/8.5.0", {"n": 1}))
        text = json.dumps(platform.seen())
        check("and its log has no key", "apikee_1111222233334444.1" not in text and platform.told["project_key"] not in text)

        for _ in range(2):
            sdk.ensure_endpoint("GET", "/users")
        endpoints = [seen for seen in platform.seen() if seen["kind"] == "endpoint"]
        check("an endpoint is registered once", len(endpoints) == 1 and endpoints[0]["status"] == 200)

        answer = validate(sdk, UNKNOWN)
        check("a client that is not known is no success", not answer.success)
        check("and the platform says why", platform.last()["refusal"] == "UNKNOWN_CLIENT")

        key, slug = platform.told["project_key"], platform.told["project_env"]
        whole = Apikee(secret="s", server_key=key, project_env=slug)
        before = len(platform.seen())
        whole.create("acme-corp", scopes=["read"])
        created = platform.seen()[before:]
        check("a key that the SDK issues upserts its client", [seen["kind"] for seen in created] == ["client"] and created[0]["body"]["keys"][0]["name"] == "acme-corp-key")

    with Platform("--client", f"limited={LIMITED}", "--hourly", "1") as platform:
        sdk = platform.sdk(fail_open=False)
        check("the first of one request an hour succeeds", validate(sdk, LIMITED).success)
        answer = validate(sdk, LIMITED)
        check("the second is a 429", platform.last()["status"] == 429 and not answer.success and "429" in answer.error)
        # docs/WIRE.md, "The platform's API": what it refuses, the SDK lets through.
        answer = validate(platform.sdk(), LIMITED)
        check("which the SDK lets through when it fails open", platform.last()["status"] == 429 and answer.success)

    with Platform("--client", f"listed={LISTED}", "--ip", "203.0.113.0/24") as platform:
        sdk = platform.sdk(fail_open=False)
        check("an address outside the list is a 403", not validate(sdk, LISTED).success and platform.last()["status"] == 403)
        inside = {"x-forwarded-for": "203.0.113.9"}
        check("one inside succeeds", validate(sdk, LISTED, inside).success)

    with Platform("--fault", "status:503") as platform:
        check("an outage succeeds when it fails open", validate(platform.sdk(), LIMITED).success)
        check("and not when it fails closed", not validate(platform.sdk(fail_open=False), LIMITED).success)


print("The published Python SDK in server mode, against the platform on loopback:")
main()
