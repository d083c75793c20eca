//! An API behind a guard, on `oxhttp`, a blocking server with the types of the `http` crate.
//!
//! Run these lines. The second starts the server, which accepts another address as an argument. Run the last one when
//! the server has started:
//!
//! ```text
//! export APIKEE_SECRET=$(apikee secret)    # for the server and for `apikee issue`
//! cargo run --features http,openapi,serde,ureq --example oxhttp &
//! curl -i http://127.0.0.1:8080/me -H "x-api-key: $(apikee issue --tenant acme-corp --scope read)"
//! ```
//!
//! `REVOKED` contains fingerprints of revoked keys, separated by commas. `ApikeeBuilder::from_env` documents the other
//! variables. If the variables of server mode are set, the guard asks the platform about each request. With
//! `APIKEE_SECRET_FILE` and `APIKEE_DENY_LIST_FILE`, secrets and revoked keys can change at run time.
//!
//! With `LOG_EVENTS=1`, the server writes a line for each event to standard error: granted and denied requests with the
//! reason, outages, and files that cannot be used.
//!
//! `apikee::web` has a table of the attacks that this server survives. It needs no proxy, but **a limit of connections
//! per address must stand in front of it**, in a firewall or a proxy. Otherwise one client can open `MAX_CONNECTIONS`
//! connections, send a byte every few seconds on each, and keep new clients out for many hours. Name a proxy with
//! `Guard::trusted_proxy`: otherwise the platform gets its address instead of the client's.
//!
//! - It accepts at most 8,192 connections (`MAX_CONNECTIONS`), or as many as the limit on file descriptors allows. At
//!   start, it raises this limit as far as possible.
//! - It closes the connection of a client that sends or reads nothing for 10 seconds (`TIMEOUT_SECONDS`).
//! - It reads an unused body up to 64 kB. A longer body ends the connection.
//! - `oxhttp` writes a line to standard error for each broken connection. If nobody reads them, or if the reader has
//!   ended, the lines are dropped, and the server goes on.
//! - `SIGTERM` and `SIGINT` stop it: requests in flight are finished, new requests get 503, and the exit code is 0. If
//!   the server fails, the exit code is 1, so that a supervisor starts it again.
use std::{
    env,
    error::Error,
    fs::File,
    io::{self, Read as _, Write as _},
    net::{SocketAddr, TcpListener},
    os::fd::AsFd as _,
    process::ExitCode,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
        mpsc,
    },
    thread,
    time::{Duration, Instant},
};

use apikee::{
    Fingerprint, OwnedGrant, Revocations,
    client::{ApikeeBuilder, Event},
    web::{Guard, RequestView},
};
use oxhttp::{
    Server,
    model::{
        Body, HeaderValue, Method, Request, Response,
        header::{CACHE_CONTROL, CONNECTION, CONTENT_TYPE, RETRY_AFTER},
    },
};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use serde_json::json;
use signal_hook::{consts::TERM_SIGNALS, iterator::Signals};

/// Each connection takes one thread and two descriptors.
const MAX_CONNECTIONS: u64 = 8192;

/// Descriptors for everything except clients: standard streams, signals, calls to the platform.
const OTHER_DESCRIPTORS: u64 = 128;

/// Longest time in which a client sends and reads nothing. A stop also waits this long for requests in flight.
const TIMEOUT_SECONDS: u64 = 10;

/// The most bytes of an unread body that are read. So an endless body does not keep a connection busy.
const MAX_UNREAD: u64 = 64 * 1024;

fn main() -> ExitCode {
    let ended = piped_stderr().map_err(Box::from).and_then(|stderr| {
        // Written directly: this process ends before another thread could do it.
        serve().inspect_err(|error| drop(writeln!(&*stderr, "{error}")))
    });
    if ended.is_ok() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// Puts a pipe in the place of standard error, and returns the original. A thread reads the pipe, and writes what the
/// original accepts at once. Without this, one client could end or stop the server: it makes `oxhttp` write lines in
/// its only listening thread, and that thread waits if standard error is full, and panics if it is closed.
fn piped_stderr() -> io::Result<Arc<File>> {
    let original = Arc::new(File::from(io::stderr().as_fd().try_clone_to_owned()?));
    let (mut pipe, end) = io::pipe()?;
    rustix::stdio::dup2_stderr(end)?;
    let stderr = Arc::clone(&original);
    thread::spawn(move || {
        // A pipe that is ready accepts this number of bytes (`PIPE_BUF`) without waiting.
        let mut piece = [0; 4096];
        while let Ok(len @ 1..) = pipe.read(&mut piece) {
            if poll(&mut [PollFd::new(&*stderr, PollFlags::OUT)], Some(&Timespec::default())) == Ok(1) {
                let _ = (&*stderr).write_all(&piece[..len]);
            }
        }
    });
    Ok(original)
}

fn serve() -> Result<(), Box<dyn Error>> {
    let guard = Arc::new(guard()?);
    // At most a day: the end of a longer time may be later than the last `Instant`.
    let timeout = Duration::from_secs(number("TIMEOUT_SECONDS", TIMEOUT_SECONDS)?.min(24 * 60 * 60));
    let descriptors = rlimit::increase_nofile_limit(u64::MAX)?;
    let connections = number("MAX_CONNECTIONS", MAX_CONNECTIONS)?;
    let connections = connections.min(descriptors.saturating_sub(OTHER_DESCRIPTORS) / 2).max(1);
    let address = env::args().nth(1).unwrap_or_else(|| "127.0.0.1:8080".into());
    // `oxhttp` binds the address again. It accepts no host names, and does not report the port for port 0.
    let address = TcpListener::bind(address)?.local_addr()?;

    let mut signals = Signals::new(TERM_SIGNALS)?;
    let stopping = Arc::new(AtomicBool::new(false));
    // Each request in flight has a clone.
    let in_flight = Arc::new(());
    let (asked, stop, in_each) = (Arc::clone(&guard), Arc::clone(&stopping), Arc::clone(&in_flight));
    let on_request = move |request: &mut Request<Body>| {
        let in_flight = Arc::clone(&in_each);
        let stopping = stop.load(Ordering::SeqCst);
        let mut response = if stopping { unavailable() } else { respond(&asked, request) };
        if request.method() == Method::HEAD {
            // The response to `HEAD` has the length of the body without the body. Reading a body keeps its length.
            let _ = io::copy(response.body_mut(), &mut io::sink());
        }
        if stopping || !finish(request.body_mut(), timeout) {
            *request.body_mut() = Body::empty();
            request.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
        }
        // The response is dropped after it was written.
        response.extensions_mut().insert(in_flight);
        response
    };
    let server = Server::new(on_request).bind(address).with_global_timeout(timeout);
    let server = server.with_max_concurrent_connections(connections.try_into()?).spawn()?;
    // Not `println!`: it panics if standard output is a full disk.
    let _ = writeln!(io::stdout(), "listening on http://{address}");

    let (end, ended) = mpsc::channel();
    let fail = end.clone();
    thread::spawn(move || fail.send(server.join().and(Err(io::Error::other("the server has stopped listening")))));
    thread::spawn(move || signals.forever().next().map(|_| end.send(Ok(()))));
    ended.recv()??;

    stopping.store(true, Ordering::SeqCst);
    let latest = Instant::now() + timeout;
    // One reference is here, and one belongs to the server.
    while Arc::strong_count(&in_flight) > 2 && Instant::now() < latest {
        thread::sleep(Duration::from_millis(10));
    }
    // Sends what is queued for the platform.
    guard.apikee().close(latest.saturating_duration_since(Instant::now()));
    Ok(())
}

/// Reads a number from an environment variable.
fn number(name: &str, default: u64) -> Result<u64, Box<dyn Error>> {
    let Some(text) = env::var_os(name) else { return Ok(default) };
    let number = text.to_str().and_then(|text| text.parse().ok()).filter(|number| *number > 0);
    number.ok_or_else(|| format!("{name} is not a number above 0").into())
}

fn guard() -> Result<Guard, Box<dyn Error>> {
    let apikee = ApikeeBuilder::from_env()?;
    let listed = env::var_os("REVOKED").unwrap_or_default().to_string_lossy().into_owned();
    let listed = listed.split(',').map(str::trim).filter(|fingerprint| !fingerprint.is_empty());
    let revoked = Revocations::new();
    revoked.extend(listed.map(str::parse).collect::<Result<Vec<Fingerprint>, _>>()?);
    let mut apikee = apikee.revocations(revoked);
    if env::var_os("LOG_EVENTS").is_some() {
        apikee = apikee.observer(|event: &Event<'_>| eprintln!("{event}"));
    }
    let apikee = apikee.build()?;
    Ok(Guard::new(apikee).excluded_paths(["/health", "/openapi.json"]))
}

fn respond(guard: &Guard, request: &Request<Body>) -> Response<Body> {
    let method = if request.method() == Method::HEAD { "GET" } else { request.method().as_str() };
    let segments: Vec<&str> = request.uri().path().split('/').collect();
    let mut view = RequestView::from(request);
    if let Some(peer) = peer() {
        view = view.peer(peer.ip());
    }

    let checked = match (method, &segments[..]) {
        ("GET", ["", "health"]) => return response(200, "text/plain", "ok".into()),
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
        Ok((status, body)) => response(status, "application/json", body),
        Err(refusal) => refusal.to_http(),
    }
}

/// The client's address. `oxhttp` does not pass it on, but names the thread of each connection after it.
fn peer() -> Option<SocketAddr> {
    thread::current().name()?.strip_suffix(": responding thread of OxHTTP")?.parse().ok()
}

/// Reads the rest of a body, because a client may send all of it before it reads the response. Returns whether the body
/// has ended. If it has not, the connection must be closed, or the rest would be read as a request.
fn finish(body: &mut Body, timeout: Duration) -> bool {
    if body.len().is_some_and(|len| len > MAX_UNREAD) {
        return false;
    }
    let (mut left, latest) = (body.take(MAX_UNREAD), Instant::now() + timeout);
    let mut buf = [0; 4096];
    while left.limit() > 0 && Instant::now() < latest {
        match left.read(&mut buf) {
            Ok(0) => return true,
            Ok(_) => (),
            Err(_) => return false,
        }
    }
    false
}

fn unavailable() -> Response<Body> {
    let mut response = response(503, "application/json", r#"{"error":"STOPPING"}"#.into());
    response.headers_mut().insert(RETRY_AFTER, HeaderValue::from_static("1"));
    response
}

fn response(status: u16, content_type: &str, body: String) -> Response<Body> {
    // A cache in front must not give one caller's answer to another: see docs/WEB_SERVERS.md.
    let response = Response::builder().status(status).header(CACHE_CONTROL, "no-store");
    response.header(CONTENT_TYPE, content_type).body(body.into()).expect("valid parts")
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
