"""The published Python SDK's Flask integration, with the settings of `interop_guard.rs`.

The published module cannot be imported, because it imports a name that `apikee.core` does not have: `ApikeeConfig`. So
this file defines the name. It only annotates an argument that is not used here. The module is unmodified otherwise.
"""

import json
import logging
import os
import sys
import threading

if sys.argv[1] == "json":
    # As if msgpack were not installed.
    sys.modules["msgpack"] = None

import apikee.core

assert not hasattr(apikee.core, "ApikeeConfig"), "the name exists now: this file no longer needs to define it"
apikee.core.ApikeeConfig = None

from apikee.flask import init_apikee, require_scope
from flask import Flask, g
from werkzeug.serving import make_server

METHODS = ["GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"]

app = Flask(__name__)
# Turns off the log line for each request.
logging.getLogger("werkzeug").setLevel(logging.WARNING)
init_apikee(app, secrets=json.loads(os.environ["SECRETS"]))


def seconds(time):
    return None if time is None else int(time.timestamp())


def claims(path=None):
    said = g.get("apikee")
    return {
        "claims": said
        and {
            "id": said.id,
            "tenant": said.tenant,
            "scopes": said.scopes,
            "environment": said.environment,
            "expires_at": seconds(said.expires_at),
            "not_before": seconds(said.not_before),
            "meta": said.meta,
        }
    }


# Flask would answer OPTIONS itself.
options = {"methods": METHODS, "provide_automatic_options": False}
for route, scopes in json.loads(os.environ["ROUTES"]).items():
    app.add_url_rule(route, route, require_scope(*scopes)(claims), **options)
app.add_url_rule("/", "root", claims, **options)
app.add_url_rule("/<path:path>", "any", claims, **options)

server = make_server("127.0.0.1", 0, app, threaded=True)
print(server.port, flush=True)
threading.Thread(target=server.serve_forever, daemon=True).start()
sys.stdin.read()
os._exit(0)
