//! An API behind a guard, on `rouille`. It needs no adapter in this crate: a closure finds the header fields.
//!
//! Run these lines. The second starts the server, which accepts another address as an argument. Run the last one when
//! the server has started:
//!
//! ```text
//! export APIKEE_SECRET=$(apikee secret)    # for the server and for `apikee issue`
//! cargo run --features web,openapi,serde,ureq --example rouille &
//! curl -i http://127.0.0.1:8080/me -H "x-api-key: $(apikee issue --tenant acme-corp --scope read)"
//! ```
//!
//! `REVOKED` contains fingerprints of revoked keys, separated by commas. `ApikeeBuilder::from_env` documents the other
//! variables. If the variables of server mode are set, the guard asks the platform about each request. With
//! `APIKEE_SECRET_FILE` and `APIKEE_DENY_LIST_FILE`, secrets and revoked keys can change at run time.
//!
//! `rouille` uses `tiny_http`: put a proxy in front that limits and buffers bodies. `apikee::web` has a table of what
//! happens without a proxy. Name the proxy with `Guard::trusted_proxy`: otherwise the platform gets its address instead
//! of the client's. The dependencies `multipart` and `buf_redux` of `rouille` are not maintained.
use std::{
    env,
    error::Error,
    io::{self, Write as _},
    net::TcpStream,
    process, thread,
    time::Duration,
};

use apikee::{
    Fingerprint, OwnedGrant, Revocations,
    client::ApikeeBuilder,
    web::{Guard, RequestView},
};
use rouille::{Request, Response, Server};
use serde_json::json;

const STOPPED: &str = "the server has stopped listening";

/// Lines of a malformed body that are read at most. A closed connection is reported like a malformed line.
const MAX_MALFORMED_LINES: usize = 2_000;

fn main() -> Result<(), Box<dyn Error + Send + Sync>> {
    let guard = guard()?;
    let address = env::args().nth(1).unwrap_or_else(|| "127.0.0.1:8080".into());
    let server = Server::new(address, move |request| respond(&guard, request))?;
    let address = server.server_addr();
    // Not `println!`: it panics if standard output is a full disk.
    let _ = writeln!(io::stdout(), "listening on http://{address}");
    thread::spawn(move || {
        server.run();
        eprintln!("{STOPPED}");
        process::exit(1);
    });
    // If the file descriptors run out, the thread that accepts connections may panic, and nothing reports that.
    loop {
        thread::sleep(Duration::from_secs(1));
        if TcpStream::connect(address).is_err_and(|error| error.kind() == io::ErrorKind::ConnectionRefused) {
            return Err(STOPPED.into());
        }
    }
}

fn guard() -> Result<Guard, Box<dyn Error + Send + Sync>> {
    let apikee = ApikeeBuilder::from_env()?;
    let listed = env::var_os("REVOKED").unwrap_or_default().to_string_lossy().into_owned();
    let listed = listed.split(',').map(str::trim).filter(|fingerprint| !fingerprint.is_empty());
    let revoked = Revocations::new();
    revoked.extend(listed.map(str::parse).collect::<Result<Vec<Fingerprint>, _>>()?);
    let apikee = apikee.revocations(revoked).build()?;
    Ok(Guard::new(apikee).excluded_paths(["/health", "/openapi.json"]))
}

fn respond(guard: &Guard, request: &Request) -> Response {
    // Before any answer: the unread rest of a chunked body would be read as further requests.
    read_chunked_body(request);
    let method = if request.method() == "HEAD" { "GET" } else { request.method() };
    // The guard sees the same path. `Request::url` would decode it.
    let path = request.raw_url().split('?').next().unwrap_or_default();
    let segments: Vec<&str> = path.split('/').collect();
    let headers = |name: &str, nth: usize| {
        let mut named = request.headers().filter(|field| field.0.eq_ignore_ascii_case(name));
        named.nth(nth).map(|field| field.1.as_bytes())
    };
    let view = RequestView::new(request.method(), request.raw_url(), &headers).peer(request.remote_addr().ip());

    let checked = match (method, &segments[..]) {
        ("GET", ["", "health"]) => return Response::text("ok"),
        ("GET", ["", "openapi.json"]) => Ok((200, openapi(guard))),
        ("GET", ["", "me"]) => {
            let claims = |grant: OwnedGrant| serde_json::to_string(&grant.key().claims()).expect("claims are JSON");
            guard.route("/me").check(view).map(|grant| (200, claims(grant)))
        }
        ("GET", ["", "users", id]) if !id.is_empty() => {
            let guard = guard.route("/users/{id}").require(&["read"]);
            guard.check(view).map(|_| (200, json!({ "id": id }).to_string()))
        }
        ("POST", ["", "users"]) => {
            let guard = guard.route("/users").require(&["write"]);
            let user = |grant: OwnedGrant| json!({ "tenant": grant.key().claims().tenant() }).to_string();
            guard.check(view).map(|grant| (201, user(grant)))
        }
        // One template for all unknown paths, and only known methods. Otherwise the platform would count each path and
        // each method of a scan separately.
        ("GET" | "POST" | "PUT" | "PATCH" | "DELETE" | "OPTIONS", _) => {
            let view = view.route("/{unknown}");
            guard.check(view).map(|_| (404, r#"{"error":"NOT_FOUND"}"#.into()))
        }
        _ => Ok((501, r#"{"error":"NOT_IMPLEMENTED"}"#.into())),
    };
    match checked {
        // A cache in front must not give one caller's answer to another: see docs/WEB_SERVERS.md.
        Ok((status, body)) => Response::from_data("application/json", body)
            .with_status_code(status)
            .with_unique_header("Cache-Control", "no-store"),
        Err(refusal) => {
            let response = Response::from_data("application/json", refusal.body()).with_status_code(refusal.status());
            refusal
                .headers()
                .fold(response, |response, (name, value)| response.with_unique_header(name, value.into_owned()))
        }
    }
}

/// Does what `apikee::web::read_chunked_body` does for `tiny_http`, and for the reasons in its documentation.
fn read_chunked_body(request: &Request) {
    let upgrade = request.header("Connection").is_some_and(|value| value.to_ascii_lowercase().contains("upgrade"));
    if request.header("Transfer-Encoding").is_none() || upgrade {
        return;
    }
    let mut body = request.data().expect("nothing else takes it");
    for _ in 0..MAX_MALFORMED_LINES {
        if io::copy(&mut body, &mut io::sink()).is_ok() {
            return;
        }
    }
}

fn openapi(guard: &Guard) -> String {
    let mut document = json!({
        "openapi": "3.1.0",
        "info": { "title": "Users", "version": "1" },
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
