//! An API behind a guard as a CGI program (RFC 3875), with plain `std`.
//!
//! Run these lines. The second calls the program like a web server:
//!
//! ```text
//! export APIKEE_SECRET=$(apikee secret)    # for the server and for `apikee issue`
//! REQUEST_METHOD=GET PATH_INFO=/health cargo run --features web,openapi,serde,ureq --example cgi
//! curl -i http://127.0.0.1:8080/cgi-bin/api/me -H "x-api-key: $(apikee issue --tenant acme-corp --scope read)"
//! ```
//!
//! The third line needs a web server that runs the program as `/cgi-bin/api`, with the same environment. `REVOKED`
//! contains fingerprints of revoked keys, separated by commas. `ApikeeBuilder::from_env` documents the other variables.
//! If the variables of server mode are set, the guard asks the platform about each request. In an outage it denies all
//! requests, also with `APIKEE_FAIL_OPEN=true`. With `APIKEE_SECRET_FILE` and `APIKEE_DENY_LIST_FILE`, secrets and
//! revoked keys can change at run time.
use std::{
    env,
    error::Error,
    ffi::OsString,
    io::{self, Write as _},
};

use apikee::{
    Fingerprint, OwnedGrant, Policy, Revocations,
    client::ApikeeBuilder,
    policy::FailOpen,
    web::{Guard, RequestView},
};
use serde_json::json;

fn main() -> Result<(), Box<dyn Error>> {
    let guard = guard()?;
    let variable = |name| env::var_os(name).unwrap_or_default();
    let method = variable("REQUEST_METHOD").into_string().map_err(|_| "the method is not UTF-8")?;
    let path = encode(&variable("PATH_INFO"));

    // `HTTP_X_API_KEY` is the field `X-Api-Key`. The web server has joined all fields with the same name.
    let field = |(name, value): (OsString, OsString)| {
        let name = name.to_str()?.strip_prefix("HTTP_")?.replace('_', "-").to_ascii_lowercase();
        Some((name, value))
    };
    // `X-Api-Key` and `X_Api_Key` become the same variable. If you trust a proxy's header fields, let the web server
    // drop fields with `_` in their names.
    let fields: Vec<(String, OsString)> = env::vars_os().filter_map(field).collect();
    let headers = |name: &str, nth: usize| {
        let mut named = fields.iter().filter(|field| field.0.eq_ignore_ascii_case(name));
        named.nth(nth).map(|field| field.1.as_encoded_bytes())
    };
    let mut request = RequestView::new(&method, &path, &headers);
    if let Some(peer) = variable("REMOTE_ADDR").to_str().and_then(|address| address.parse().ok()) {
        request = request.peer(peer);
    }

    let segments: Vec<&str> = path.split('/').collect();
    let checked = match (if method == "HEAD" { "GET" } else { &*method }, &segments[..]) {
        ("GET", ["", "health"]) => Ok((200, "ok".into())),
        ("GET", ["", "openapi.json"]) => Ok((200, openapi(&guard))),
        ("GET", ["", "me"]) => {
            let claims = |grant: OwnedGrant| serde_json::to_string(&grant.key().claims()).expect("claims are JSON");
            guard.route("/me").check(request).map(|grant| (200, claims(grant)))
        }
        ("GET", ["", "users", id]) if !id.is_empty() => {
            let guard = guard.route("/users/{id}").require(&["read"]);
            guard.check(request).map(|_| (200, json!({ "id": id }).to_string()))
        }
        ("POST", ["", "users"]) => {
            let guard = guard.route("/users").require(&["write"]);
            let user = |grant: OwnedGrant| json!({ "tenant": grant.key().claims().tenant() }).to_string();
            guard.check(request).map(|grant| (201, user(grant)))
        }
        // One template for all unknown paths, and only known methods. Otherwise the platform would count each path and
        // each method of a scan separately.
        ("GET" | "POST" | "PUT" | "PATCH" | "DELETE" | "OPTIONS", _) => {
            let view = request.route("/{unknown}");
            guard.check(view).map(|_| (404, r#"{"error":"NOT_FOUND"}"#.into()))
        }
        _ => Ok((501, r#"{"error":"NOT_IMPLEMENTED"}"#.into())),
    };
    let mut out = io::stdout().lock();
    let body = match checked {
        Ok((status, body)) => {
            let kind = if body == "ok" { "text/plain" } else { "application/json" };
            // A cache in front must not give one caller's answer to another: see docs/WEB_SERVERS.md.
            write!(out, "Status: {status} \nContent-Type: {kind}\nCache-Control: no-store\n\n")?;
            body
        }
        Err(refusal) => {
            writeln!(out, "Status: {} ", refusal.status())?;
            for (name, value) in refusal.headers() {
                writeln!(out, "{name}: {value}")?;
            }
            writeln!(out)?;
            refusal.body()
        }
    };
    if method != "HEAD" {
        out.write_all(body.as_bytes())?;
    }
    Ok(out.flush()?)
}

/// Encodes the path again, because `PATH_INFO` is decoded (RFC 3875, section 4.1.5). Otherwise a `%3F` would become a
/// `?`, which ends a path.
fn encode(path: &OsString) -> String {
    let mut encoded = String::new();
    for byte in path.as_encoded_bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'/' | b'-' | b'.' | b'_' | b'~' | b':' | b'@' => {
                encoded.push(char::from(*byte));
            }
            _ => encoded.push_str(&format!("%{byte:02X}")),
        }
    }
    encoded
}

fn guard() -> Result<Guard, Box<dyn Error>> {
    // The program handles one request. So it needs no background thread, and does not register its routes: it would do
    // that for each request. It cannot remember that the platform has refused a client, so an outage must not let
    // requests through.
    let apikee = ApikeeBuilder::from_env()?.background_thread(false).auto_register(false);
    let apikee = apikee.policy(Policy::DEFAULT.fail_open(FailOpen::Closed));
    let listed = env::var_os("REVOKED").unwrap_or_default().to_string_lossy().into_owned();
    let listed = listed.split(',').map(str::trim).filter(|fingerprint| !fingerprint.is_empty());
    let revoked = Revocations::new();
    revoked.extend(listed.map(str::parse).collect::<Result<Vec<Fingerprint>, _>>()?);
    let apikee = apikee.revocations(revoked).build()?;
    Ok(Guard::new(apikee).excluded_paths(["/health", "/openapi.json"]))
}

fn openapi(guard: &Guard) -> String {
    let mut document = json!({
        "openapi": "3.1.0",
        "info": { "title": "Users", "version": "1" },
        "servers": [{ "url": env::var_os("SCRIPT_NAME").unwrap_or_default().to_string_lossy() }],
        "paths": {
            "/health": { "get": { "responses": { "200": { "description": "It is up" } } } },
            "/me": { "get": { "responses": { "200": { "description": "The claims of the key" } } } },
            "/users/{id}": {
                "parameters": [{ "name": "id", "in": "path", "required": true, "schema": { "type": "string" } }],
                "get": { "responses": { "200": { "description": "A user" } } },
            },
            "/users": { "post": { "responses": { "201": { "description": "A new user" } } } },
        },
    });
    guard.add_to_openapi(&mut document).expect("it is an OpenAPI document");
    for (template, method, scope) in [("/users/{id}", "get", "read"), ("/users", "post", "write")] {
        let route = guard.route(template);
        route.require(&[scope]).add_to_openapi(method, &mut document).expect("the document has this operation");
    }
    document.to_string()
}
