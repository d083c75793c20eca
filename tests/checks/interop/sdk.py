"""Runs one unmodified published Python SDK behind a pipe. Only the environment configures it.

Reads a line of JSON for each call, `[name, arguments...]`, and writes a line of JSON with the result. An error that the
SDK raises is `{"raised": its code or its type}`.
"""

import asyncio
import json
import os
import sys
from datetime import datetime, timezone

import apikee.core
import apikee.crypto
import apikee.server
from apikee.core import Apikee, ApikeeError
from apikee.key import ApikeeKey, KeyOptions
from apikee.server import ApikeeServer, ServerConfig

# 0.1.2 has one base URL and one public key. It does not read them or the signing key from the environment.
HAS_BASE_URL = "base_url" in ServerConfig.__dataclass_fields__
if not HAS_BASE_URL and "APIKEE_BASE_URL" in os.environ:
    apikee.server._BASE_URL = os.environ["APIKEE_BASE_URL"]
    apikee.crypto._SERVER_PUBLIC_KEY_B64 = os.environ["APIKEE_SERVER_PUBLIC_KEY"]


def moment(seconds):
    return None if seconds is None else datetime.fromtimestamp(seconds, tz=timezone.utc)


def seconds(time):
    return None if time is None else int(time.timestamp())


def issue(specs):
    engine = ApikeeKey([os.environ["APIKEE_SECRET"]])
    return [
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


def claims_of(engine, key):
    try:
        claims = engine.verify(key)
    except ApikeeError as error:
        return {"raised": error.code}
    return {
        "tenant": claims.tenant,
        "scopes": claims.scopes,
        "environment": claims.environment,
        "expires_at": seconds(claims.expires_at),
        "not_before": seconds(claims.not_before),
        "meta": claims.meta,
    }


def verify(keys):
    engine = ApikeeKey([os.environ["APIKEE_SECRET"]])
    return [claims_of(engine, key) for key in keys]


def create(tenant, options):
    return Apikee().create(tenant, **options)


def validate(client, key_name, headers, payload, fail_open):
    server = Apikee(fail_open=fail_open)._server
    if not HAS_BASE_URL and "APIKEE_PRIVATE_KEY" in os.environ:
        key, slug = os.environ["APIKEE_SERVER_KEY"], os.environ["APIKEE_PROJECT_ENV"]
        pem = os.environ["APIKEE_PRIVATE_KEY"]
        server = ApikeeServer(ServerConfig(server_key=key, project_env=slug, fail_open=fail_open, private_key=pem))
    return vars(server.validate(client, key_name, "get", "users", headers, payload))


def describe(method, path, options):
    shared().describe_endpoint(method, path, **options)


def can_describe():
    return hasattr(Apikee, "describe_endpoint")


_shared = None


def shared():
    global _shared
    _shared = _shared or Apikee()
    return _shared


def flask():
    if not hasattr(apikee.core, "ApikeeConfig") and not HAS_BASE_URL:
        # 0.1.2 imports a name that does not exist. It only annotates an argument.
        apikee.core.ApikeeConfig = None
    from apikee.flask import get_claims, init_apikee, require_scope
    from flask import Flask

    app = Flask(__name__)
    # Without arguments 0.1.2 refuses to start.
    init_apikee(app) if HAS_BASE_URL else init_apikee(app, apikee=Apikee())
    app.add_url_rule("/users", "users", lambda: {"tenant": get_claims().tenant})
    app.add_url_rule("/admin", "admin", require_scope("admin")(lambda: {}))

    def ask(path, key):
        answer = app.test_client().get(path, headers={"x-api-key": key} if key else {})
        return [answer.status_code, answer.get_json()]

    return ask


def fastapi():
    from apikee.fastapi import ApikeeDepends, SecuredFastAPI, require_scope
    from fastapi import Depends

    app = SecuredFastAPI()

    @app.get("/users")
    def users(claims=ApikeeDepends()):
        return {"tenant": claims.tenant}

    @app.get("/admin", dependencies=[Depends(require_scope("admin"))])
    def admin():
        return {}

    return lambda path, key: asyncio.run(ask_asgi(app, path, key))


def asgi():
    from starlette.applications import Starlette
    from starlette.responses import JSONResponse
    from starlette.routing import Route

    async def users(request):
        return JSONResponse({"tenant": request.state.apikee.tenant})

    app = Starlette(routes=[Route("/users", users)])
    app.add_middleware(Apikee().middleware)
    return lambda path, key: asyncio.run(ask_asgi(app, path, key))


async def ask_asgi(app, path, key):
    """A GET without a socket."""
    headers = [(b"host", b"localhost")] + ([(b"x-api-key", key.encode())] if key else [])
    scope = {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": "GET",
        "scheme": "http",
        "path": path,
        "raw_path": path.encode(),
        "query_string": b"",
        "root_path": "",
        "headers": headers,
        "client": ("127.0.0.1", 1),
        "server": ("127.0.0.1", 80),
    }
    unread, sent = [{"type": "http.request", "body": b"", "more_body": False}], []

    async def receive():
        return unread.pop() if unread else await asyncio.Event().wait()

    async def send(message):
        sent.append(message)

    await app(scope, receive, send)
    return [sent[0]["status"], json.loads(b"".join(message.get("body", b"") for message in sent[1:]))]


APPS = {}


def ask(framework, path, key):
    """The answer of the framework's middleware to a request. Each framework has one application."""
    if framework not in APPS:
        APPS[framework] = {"flask": flask, "fastapi": fastapi, "asgi": asgi}[framework]()
    return APPS[framework](path, key)


CALLS = {call.__name__: call for call in (issue, verify, create, validate, describe, can_describe, ask)}

for line in sys.stdin:
    name, *arguments = json.loads(line)
    try:
        said = CALLS[name](*arguments)
    except Exception as error:
        said = {"raised": getattr(error, "code", None) or f"{type(error).__name__}: {error}"}
    print(json.dumps(said), flush=True)
