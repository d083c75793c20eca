"""Server mode of the published SDKs and of our client with our emulator, in each degree of sealing.

The variables that `apikee platform --env` prints configure all of them. If docs/WIRE.md says that an SDK cannot do
something, this is expected, and it is a difference if it can.
"""

import json
import subprocess
import tempfile
from concurrent.futures import ThreadPoolExecutor

from sdks import ALL, PYTHON, Platform, Sdk, Wrong, ours
from web_keys import has_short_tag

LIMITED = "11111111-2222-4333-8444-555555555555"
UNKNOWN = "33333333-2222-4333-8444-555555555555"
FIELDS = {"user-agent": "curl/8.5.0", "x-forwarded-for": "203.0.113.9"}
PAYLOAD = {"n": 1}
KEY = "APIKEE_SERVER_PUBLIC_KEY"
# All end well within the SDKs' timeout of three seconds, and none gives a usable answer.
FAULTS = ["status:503", "reset", "hang-up", "truncate", "garbage"]


def hold(what, said, expected):
    if said != expected:
        raise Wrong(f"{what}: {said!r}, not {expected!r}")


def create(sdk, tenant, options):
    """A key that the SDK accepts, and the number of keys that it issued. It refuses 1 in 256 of its own keys."""
    for made in range(1, 20):
        key = sdk.create(tenant, options)
        if not has_short_tag(key):
            return key, made
    raise Wrong(f"{sdk.published.name} issues no key that it accepts")


def lowered(fields):
    return {name.lower(): value for name, value in dict(fields).items()}


def without(environment, *names):
    """The environment for an SDK, without variables that only our client has."""
    return {name: value for name, value in environment.items() if name not in (*names, "APIKEE_SEALING")}


def frameworks(published):
    return ["express"] if published.is_node else ["flask", "fastapi", "asgi"]


def settings(published):
    """The degrees of sealing that the SDK can have, each with whether it has the public key."""
    with_key = [("required", True), ("requests", True), ("off", True)]
    # "plain JSON over HTTPS, what 0.1.2b0 and later do when no server public key is configured".
    return with_key + [("off", False), ("requests", False), ("required", False)] * published.has_base_url


def in_degree(published, sealing, has_key):
    """A row of the table: the results with one degree of sealing."""
    where = f"{published.name}, {sealing}{'' if has_key else ', no public key'}"
    seals = has_key
    # "Node's X25519 call fails in any case"; a platform that requires envelopes refuses plain requests.
    arrives = not published.is_node and (seals or sealing == "off")
    # "every published SDK can only read plain answers".
    reads = arrives and sealing != "required"
    row = {}
    with Platform(sealing) as platform, Sdk(published, **without(platform.environment, *[] if has_key else [KEY])) as sdk:
        tenant = "caf\u00e9 corp"
        options = {"scopes": ["read"], "meta": {"plan": "pro", "share": 0.5}}
        key, made = create(sdk, tenant, options)
        told = json.loads(ours("verify", "--json", keys=key).stdout)
        hold(f"{where}: its key in our crate", [told["ok"], told["tenant"], told["scopes"], told["meta"]], [True, tenant, *options.values()])
        seen = platform.seen()
        if published.is_node:
            hold(f"{where}: calls", seen, [])
            row["create"] = "key only"
        else:
            hold(f"{where}: calls", [(seen["kind"], seen["status"]) for seen in seen], [("client", 200 if arrives else 400)] * made)
            fields = lowered(seen[0]["headers"])
            hold(f"{where}: header", fields["x-apikee-encrypted"], "1" if seals else "0")
            hold(f"{where}: agent", fields["user-agent"], "apikee-python/0.1.2")
            body = {"name": tenant, "type": "service", "keys": [{"name": f"{tenant}-key"}], "metadata": options["meta"]}
            hold(f"{where}: client", seen[0]["body"], body if arrives else None)
            row["create"] = "ok" if arrives else "key only"
        client = seen[0]["client"] if arrives else UNKNOWN

        row["middlewares"] = middlewares(where, published, platform, sdk, key, tenant)

        before = len(platform.seen())
        said = sdk.validate(client, f"{tenant}-key", {**FIELDS, "x-api-key": key}, PAYLOAD, False)
        seen = platform.seen()[before:]
        if arrives:
            hold(f"{where}: validated", [seen[0][name] for name in ("status", "refusal", "client", "method_path")], [200, None, client, "GET:::/users"])
            hold(f"{where}: payload", seen[0]["body"]["payload"], PAYLOAD)
            hold(f"{where}: fields", seen[0]["body"]["headers"]["user-agent"], FIELDS["user-agent"])
            hold(f"{where}: success", said["success"], reads)
            if reads:
                hold(f"{where}: what it read", [said["client_id"], said["method_path"]], [client, "GET:::/users"])
                hold(f"{where}: an unknown client", sdk.validate(UNKNOWN, "default", FIELDS, None, True)["success"], False)
                hold(f"{where}: its refusal", platform.last("validate")["refusal"], "UNKNOWN_CLIENT")
            row["validate"] = "ok" if reads else "unread"
        else:
            hold(f"{where}: success", said["success"], False)
            hold(f"{where}: calls that validate", [(seen["status"], seen["refusal"]) for seen in seen], [] if published.is_node else [(400, "WRONG_ENCRYPTED_HEADER")])
            row["validate"] = "not sent" if published.is_node else "refused"
        # docs/WIRE.md: when it fails open it reports success, whatever failed.
        if not arrives:
            hold(f"{where}: failing open", sdk.validate(client, "default", FIELDS, None, True)["success"], True)
        text = json.dumps(platform.seen())
        hold(f"{where}: keys in the log", [key in text, platform.environment["APIKEE_SERVER_KEY"] in text], [False, False])

        row["describe"] = describe(where, platform, sdk, published)
    return [published.name, sealing + ("" if has_key else ", no key"), *row.values()]


def middlewares(where, published, platform, sdk, key, tenant):
    """The answers of all middlewares. They are the same in all degrees, because verification is local."""
    encoding = ["--msgpack"] if published.encoding == "msgpack" else []
    issued = ours("issue", "--tenant", tenant, "--scope", "read", *encoding).stdout.strip()
    changed = key[:-1] + ("a" if key[-1] != "a" else "b")
    for framework in frameworks(published):
        before = len(platform.seen())
        hold(f"{where}, {framework}: a good key", sdk.ask(framework, "/users", key), [200, {"tenant": tenant}])
        hold(f"{where}, {framework}: our key", sdk.ask(framework, "/users", issued), [200, {"tenant": tenant}])
        status, body = sdk.ask(framework, "/users", None)
        hold(f"{where}, {framework}: no key", [status, body["error"]], [401, "MISSING_KEY"])
        status, body = sdk.ask(framework, "/users", changed)
        hold(f"{where}, {framework}: a forged key", [status, body["error"]], [401, "INVALID_SIGNATURE"])
        if framework != "asgi":
            status, body = sdk.ask(framework, "/admin", key)
            # The FastAPI application of 0.1.2 wraps the answer.
            body = body.get("detail", body)
            hold(f"{where}, {framework}: a scope that is missing", [status, body["error"]], [403, "INSUFFICIENT_SCOPE"])
        seen = [(seen["kind"], seen["status"], seen["body"]["path"]) for seen in platform.seen()[before:]]
        routes = {"flask": [], "fastapi": ["/users", "/admin"], "asgi": ["/users"], "express": ["/users", "/admin"]}
        hold(f"{where}, {framework}: registered", seen, [("endpoint", 200, path) for path in routes[framework]])
    return "ok"


def describe(where, platform, sdk, published):
    if published.version != "0.1.2.dev10":
        if not published.is_node:
            hold(f"{where}: describe_endpoint", sdk.can_describe(), False)
        return "-"
    options = {
        "name": "List users",
        "description": "Caf\u00e9 users.",
        "scopes": ["read:users"],
        "tags": ["users", "\u65e5\u672c"],
        "deprecated": True,
        "request": {"query": {"limit": {"type": "integer"}}},
        "response": {"200": {"type": "array", "items": {}}},
    }
    before = len(platform.seen())
    for _ in range(2):
        sdk.describe("get", "/v1/users", options)
    sdk.describe("POST", "/v1/users", {})
    metadata = {"scopes": options["scopes"], "tags": options["tags"], "deprecated": True}
    described = {name: options[name] for name in ("name", "description", "request", "response")}
    bodies = [{"method": "GET", "path": "/v1/users", **described, "metadata": metadata}, {"method": "POST", "path": "/v1/users", "name": "POST /v1/users"}]
    seen = [(seen["kind"], seen["status"], seen["body"]) for seen in platform.seen()[before:]]
    hold(f"{where}: described", seen, [("endpoint", 200, body) for body in bodies])
    return "ok"


def signing(published, sealing, has_key, pair):
    """A platform that requires signatures: with the private key, without it, and with another one."""
    where = f"{published.name}, signing, {sealing}"
    private, public, other = pair
    with Platform(sealing, "--signing-key", public, "--client", f"signed={LIMITED}") as platform:
        environment = without(platform.environment, *[] if has_key else [KEY])
        ask = lambda sdk, fail_open: sdk.validate(LIMITED, "default", FIELDS, PAYLOAD, fail_open)["success"]
        with Sdk(published, **environment, APIKEE_PRIVATE_KEY=private) as sdk:
            hold(where, ask(sdk, False), not published.is_node)
            hold(f"{where}, calls", [seen["status"] for seen in platform.seen()], [] if published.is_node else [200])
        if not published.is_node:
            for what, more in (("no private key", {}), ("another private key", {"APIKEE_PRIVATE_KEY": other})):
                with Sdk(published, **environment, **more) as sdk:
                    hold(f"{where}, {what}", ask(sdk, False), False)
                    refused = [platform.last("validate")[name] for name in ("status", "refusal")]
                    hold(f"{where}, {what}, the platform", refused, [403, "INVALID_SIGNATURE"])
                    # "also lets through 403 and 429".
                    hold(f"{where}, {what}, failing open", ask(sdk, True), True)


def limits(published, sealing, has_key):
    """Rate limits and networks. If the SDKs fail open, they let refused requests through."""
    where = f"{published.name}, {sealing}"
    both = ["--client", f"limited={LIMITED}", "--hourly", "1", "--ip", "203.0.113.0/24"]
    with Platform(sealing, *both) as platform:
        with Sdk(published, **without(platform.environment, *[] if has_key else [KEY])) as sdk:
            outside = {"user-agent": "curl/8.5.0"}
            for what, fields, success, status in [("outside", outside, False, 403), ("inside", FIELDS, True, 200), ("again", FIELDS, False, 429)]:
                said = sdk.validate(LIMITED, "default", fields, None, False)
                hold(f"{where}, {what}", [said["success"], platform.last("validate")["status"]], [success, status])
                if not success:
                    hold(f"{where}, {what}, the error", str(status) in said["error"], True)
                    said = sdk.validate(LIMITED, "default", fields, None, True)
                    hold(f"{where}, {what}, failing open", [said["success"], platform.last("validate")["status"]], [True, status])


def outage(published, sealing, has_key):
    """The platform stops, starts again on the same port, and then answers wrongly."""
    where = f"{published.name}, outage, {sealing}"
    validate = lambda sdk, fail_open: sdk.validate(LIMITED, "default", FIELDS, PAYLOAD, fail_open)["success"]
    with Platform(sealing, "--client", f"acme-corp={LIMITED}") as platform:
        with Sdk(published, **without(platform.environment, *[] if has_key else [KEY])) as sdk:
            key, _ = create(sdk, "acme-corp", {"scopes": ["read"]})
            platform.stop()
            hold(f"{where}, failing open", validate(sdk, True), True)
            hold(f"{where}, failing closed", validate(sdk, False), False)
            hold(f"{where}, create", json.loads(ours("verify", "--json", keys=sdk.create("b", {})).stdout)["tenant"], "b")
            web = "express" if published.is_node else "fastapi"
            hold(f"{where}, {web}", sdk.ask(web, "/users", key), [200, {"tenant": "acme-corp"}])
            # It has another public key now. Registering an endpoint does not need it.
            with Platform(sealing, "--port", platform.port) as back:
                hold(f"{where}, {web}, again", sdk.ask(web, "/users", key)[0], 200)
                # "dev10 tries again after any failure".
                again = [("endpoint", 200)] if published.version == "0.1.2.dev10" else []
                hold(f"{where}, registered", [(seen["kind"], seen["status"]) for seen in back.seen()], again)
    for fault in FAULTS:
        with Platform(sealing, "--client", f"acme-corp={LIMITED}", "--fault", fault) as platform:
            with Sdk(published, **without(platform.environment, *[] if has_key else [KEY])) as sdk:
                hold(f"{where}, {fault}, failing open", validate(sdk, True), True)
                hold(f"{where}, {fault}, failing closed", validate(sdk, False), False)
                hold(f"{where}, {fault}, calls", len(platform.seen()), 0 if published.is_node else 2)


def of_sdk(published, pair):
    """All rows of one SDK."""
    rows = []
    for sealing, has_key in settings(published):
        row = in_degree(published, sealing, has_key)
        # Only if the SDK can read the answers. For Node, if they are as plain as possible.
        if (sealing, has_key) in [("requests", True), ("off", False)]:
            signing(published, sealing, has_key, pair)
            outage(published, sealing, has_key)
            if not published.is_node:
                limits(published, sealing, has_key)
            row += ["not sent" if published.is_node else "ok", "ok", "-" if published.is_node else "ok"]
        rows.append(row + ["-"] * (len(HEAD) - len(row)))
    return rows


def of_ours(pair):
    """Our client, configured like in the newest SDK's README, with clients that the newest SDK created."""
    rows, newest = [], PYTHON[-2]
    private, public, other = pair
    for sealing in ("required", "requests", "off"):
        with Platform(sealing, "--signing-key", public) as platform:
            given = {**platform.environment, "APIKEE_PRIVATE_KEY": private}
            if sealing == "off":
                del given[KEY]
            with Sdk(newest, **without(given)) as sdk:
                key = sdk.create("acme-corp", {"scopes": ["read"]})
            ask = lambda given: ours("authorize", "--json", "--path", "/users", environment=given, keys=key)
            said = json.loads(ask(given).stdout)
            hold(f"our client, {sealing}", [said.get(name) for name in ("ok", "basis")], [True, "confirmed"])
            seen = platform.last("validate")
            hold(f"our client, {sealing}, the platform", [seen[name] for name in ("status", "refusal", "method_path")], [200, None, "GET:::/users"])
            hold(f"our client, {sealing}, header", lowered(seen["headers"])["x-apikee-encrypted"], "0" if sealing == "off" else "1")
            # The key on one line, as in a .env file.
            quoted = {**given, "APIKEE_PRIVATE_KEY": '"' + private.replace("\n", "\\n") + '"'}
            hold(f"our client, {sealing}, a key in quotes", json.loads(ask(quoted).stdout).get("basis"), "confirmed")
            said = json.loads(ask({**given, "APIKEE_PRIVATE_KEY": other}).stdout)
            hold(f"our client, {sealing}, another private key", said["ok"], False)
            if sealing == "off":
                # Without a public key, the SDKs use plain JSON. Our client must be configured for that.
                done = ask(without(given))
                hold("our client, without a public key and without APIKEE_SEALING", [done.returncode, KEY in done.stderr], [2, True])
            if sealing == "requests":
                said = json.loads(ask(without(given)).stdout)
                hold("our client, which requires sealed answers, with plain answers", [said["ok"], said["class"]], [False, "fault"])
            platform.stop()
            said = json.loads(ask(given).stdout)
            hold(f"our client, {sealing}, outage", [said["ok"], said["basis"]], [True, "failed_open"])
            hold(f"our client, {sealing}, failing closed", json.loads(ask({**given, "APIKEE_FAIL_OPEN": "false"}).stdout)["ok"], False)
            rows.append(["ours", sealing, "-", "-", "ok", "-", "ok", "ok", "-"])
    return rows


def pem_pair(folder, name):
    """An RSA key pair: the private one as text, the public one as a file."""
    private, public = f"{folder}/{name}.pem", f"{folder}/{name}.pub.pem"
    subprocess.run(["openssl", "genpkey", "-quiet", "-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:2048", "-out", private], check=True)
    subprocess.run(["openssl", "pkey", "-in", private, "-pubout", "-out", public], check=True)
    with open(private, encoding="ascii") as file:
        return file.read(), public


def main():
    """Returns the differences and the table."""
    wrong, rows = [], []
    with tempfile.TemporaryDirectory() as folder, ThreadPoolExecutor(2) as pool:
        (private, public), (other, _) = pem_pair(folder, "one"), pem_pair(folder, "other")
        pair = private, public, other
        for future in [pool.submit(of_ours, pair), *(pool.submit(of_sdk, published, pair) for published in ALL)]:
            try:
                rows += future.result()
            except Wrong as difference:
                wrong.append(str(difference))
    return wrong, rows


HEAD = ["SDK", "sealing", "create", "middlewares", "validate", "describe", "signing", "outage", "limits"]
LEGEND = """ok: as the documentation says. unread: the platform confirms the request, but the SDK cannot open the answer. refused: the
platform requires envelopes, but the SDK has no public key. key only: the key is issued, but the platform has no client. not
sent: the SDK fails before it sends the call. -: the SDK has no such call, or another row shows it."""
