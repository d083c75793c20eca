//! An API behind a guard, on `tiny_http`.
//!
//! Run these lines. The second starts the server, which accepts another address as an argument. Run the last one when
//! the server has started:
//!
//! ```text
//! export APIKEE_SECRET=$(apikee secret)    # for the server and for `apikee issue`
//! cargo run --features tiny_http,openapi,serde,ureq --example tiny_http &
//! curl -i http://127.0.0.1:8080/me -H "x-api-key: $(apikee issue --tenant acme-corp --scope read)"
//! ```
//!
//! `REVOKED` contains fingerprints of revoked keys, separated by commas. `ApikeeBuilder::from_env` documents the other
//! variables. If the variables of server mode are set, the guard asks the platform about each request. With
//! `APIKEE_SECRET_FILE` and `APIKEE_DENY_LIST_FILE`, secrets and revoked keys can change at run time.
//!
//! **Put a proxy in front that limits and buffers bodies.** `apikee::web` has a table of what happens without a proxy.
//! Name the proxy with `Guard::trusted_proxy`: otherwise the platform gets its address instead of the client's. If the
//! server fails, the exit code is not 0, so that a supervisor starts it again.
use std::{
    env,
    error::Error,
    io::{self, Write as _},
    net::TcpStream,
    panic::{self, AssertUnwindSafe},
    process,
    sync::Arc,
    thread,
    time::Duration,
};

use apikee::{
    Fingerprint, OwnedGrant, Revocations,
    client::ApikeeBuilder,
    web::{Guard, RequestView, read_chunked_body},
};
use serde_json::json;
use tiny_http::{Header, Method, Request, Response, Server};

const THREADS: usize = 8;

const STOPPED: &str = "the server has stopped listening";

fn main() -> Result<(), Box<dyn Error + Send + Sync>> {
    let guard = Arc::new(guard()?);
    let address = env::args().nth(1).unwrap_or_else(|| "127.0.0.1:8080".into());
    let server = Arc::new(Server::http(address)?);
    let address = server.server_addr().to_ip().ok_or("it listens on TCP")?;
    // Not `println!`: it panics if standard output is a full disk.
    let _ = writeln!(io::stdout(), "listening on http://{address}");
    for _ in 0..THREADS {
        let (guard, server) = (Arc::clone(&guard), Arc::clone(&server));
        thread::spawn(move || {
            for request in server.incoming_requests() {
                // Errors of the connection are ignored. A `Content-Length` of 2^64 - 1 panics. One of 100 GB ends the
                // process: only the proxy prevents this.
                let _ = panic::catch_unwind(AssertUnwindSafe(|| serve(&guard, request)));
            }
            eprintln!("{STOPPED}");
            process::exit(1);
        });
    }
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

fn serve(guard: &Guard, mut request: Request) -> io::Result<()> {
    // Before any answer: the unread rest of a chunked body would be read as further requests.
    read_chunked_body(&mut request);
    let method = if *request.method() == Method::Head { "GET" } else { request.method().as_str() };
    let path = request.url().split('?').next().unwrap_or_default();
    let segments: Vec<&str> = path.split('/').collect();

    let checked = match (method, &segments[..]) {
        ("GET", ["", "health"]) => return request.respond(Response::from_string("ok")),
        ("GET", ["", "openapi.json"]) => Ok((200, openapi(guard))),
        ("GET", ["", "me"]) => {
            let claims = |grant: OwnedGrant| serde_json::to_string(&grant.key().claims()).expect("claims are JSON");
            guard.route("/me").check(&request).map(|grant| (200, claims(grant)))
        }
        ("GET", ["", "users", id]) if !id.is_empty() => {
            let guard = guard.route("/users/{id}").require(&["read"]);
            guard.check(&request).map(|_| (200, json!({ "id": id }).to_string()))
        }
        ("POST", ["", "users"]) => {
            let guard = guard.route("/users").require(&["write"]);
            let user = |grant: OwnedGrant| json!({ "tenant": grant.key().claims().tenant() }).to_string();
            guard.check(&request).map(|grant| (201, user(grant)))
        }
        // One template for all unknown paths, and only known methods. Otherwise the platform would count each path and
        // each method of a scan separately.
        ("GET" | "POST" | "PUT" | "PATCH" | "DELETE" | "OPTIONS", _) => {
            let view = RequestView::from(&request).route("/{unknown}");
            guard.check(view).map(|_| (404, r#"{"error":"NOT_FOUND"}"#.into()))
        }
        _ => Ok((501, r#"{"error":"NOT_IMPLEMENTED"}"#.into())),
    };
    match checked {
        Ok((status, body)) => {
            let json = Header::from_bytes("Content-Type", "application/json").expect("it is ASCII");
            // A cache in front must not give one caller's answer to another: see docs/WEB_SERVERS.md.
            let no_store = Header::from_bytes("Cache-Control", "no-store").expect("it is ASCII");
            let response = Response::from_string(body).with_status_code(status).with_header(json);
            request.respond(response.with_header(no_store))
        }
        Err(refusal) => refusal.respond(request),
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
