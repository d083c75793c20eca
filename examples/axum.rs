//! An API behind a guard, on the server `axum`.
//!
//! Run these lines. The second starts the server, which accepts another address as an argument. Run the last one when
//! the server has started:
//!
//! ```text
//! export APIKEE_SECRET=$(apikee secret)    # for the server and for `apikee issue`
//! cargo run --features http,openapi,serde,ureq --example axum &
//! curl -i http://127.0.0.1:8080/me -H "x-api-key: $(apikee issue --tenant acme-corp --scope read)"
//! ```
//!
//! `REVOKED` contains fingerprints of revoked keys, separated by commas. `ApikeeBuilder::from_env` documents the other
//! variables. If the variables of server mode are set, the guard asks the platform about each request. With
//! `APIKEE_SECRET_FILE` and `APIKEE_DENY_LIST_FILE`, secrets and revoked keys can change at run time.
//!
//! `axum::serve` has no timeouts: **a limit of connections per address must stand in front of it**. This example cuts
//! requests off when it is stopped; the example `oxhttp` finishes them. Behind a proxy, name it with
//! `Guard::trusted_proxy`: otherwise the platform gets its address instead of the client's.
use std::{
    env,
    error::Error,
    io::{self, Write as _},
    net::SocketAddr,
    sync::Arc,
};

use apikee::{
    Fingerprint, Revocations,
    client::ApikeeBuilder,
    web::{Guard, RequestView},
};
use axum::{
    Extension, Router,
    extract::{ConnectInfo, MatchedPath, Path, Request, State},
    http::{
        StatusCode,
        header::{CACHE_CONTROL, CONTENT_TYPE},
        request::Parts,
    },
    middleware::{self, Next},
    response::{IntoResponse, Response},
    routing::{get, post},
};
use serde_json::json;
use tokio::{net::TcpListener, task::spawn_blocking};

/// What the handlers know about a request's key.
#[derive(Clone)]
struct Caller {
    tenant: String,
    claims: String,
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let guard = Arc::new(guard()?);
    let app = Router::new()
        .route("/health", get("ok"))
        .route("/openapi.json", get(json(StatusCode::OK, openapi(&guard))))
        .route("/me", get(async |Extension(caller): Extension<Caller>| json(StatusCode::OK, caller.claims)))
        .route("/users/{id}", get(async |Path(id): Path<String>| json(StatusCode::OK, json!({ "id": id }).to_string())))
        .route("/users", post(create))
        .fallback(not_found)
        .method_not_allowed_fallback(not_found)
        .layer(middleware::from_fn_with_state(guard, authorize));
    let address = env::args().nth(1).unwrap_or_else(|| "127.0.0.1:8080".into());
    let listener = TcpListener::bind(address).await?;
    // Not `println!`: it panics if standard output is a full disk.
    let _ = writeln!(io::stdout(), "listening on http://{}", listener.local_addr()?);
    axum::serve(listener, app.into_make_service_with_connect_info::<SocketAddr>()).await?;
    Ok(())
}

fn guard() -> Result<Guard, Box<dyn Error>> {
    let apikee = ApikeeBuilder::from_env()?;
    let listed = env::var_os("REVOKED").unwrap_or_default().to_string_lossy().into_owned();
    let listed = listed.split(',').map(str::trim).filter(|fingerprint| !fingerprint.is_empty());
    let revoked = Revocations::new();
    revoked.extend(listed.map(str::parse).collect::<Result<Vec<Fingerprint>, _>>()?);
    let apikee = apikee.revocations(revoked).build()?;
    Ok(Guard::new(apikee).excluded_paths(["/health", "/openapi.json"]))
}

/// The guard may wait for the platform, so it runs on a thread for blocking work. The result owns its data.
async fn authorize(
    State(guard): State<Arc<Guard>>,
    ConnectInfo(peer): ConnectInfo<SocketAddr>,
    request: Request,
    next: Next,
) -> Response {
    let (mut parts, body) = request.into_parts();
    if !guard.is_excluded(&RequestView::from(&parts)) {
        let checked = spawn_blocking(move || check(&guard, &parts, peer).map(|caller| (caller, parts))).await;
        let caller;
        (caller, parts) = match checked {
            Ok(Ok(checked)) => checked,
            Ok(Err(refusal)) => return *refusal,
            Err(_) => return StatusCode::INTERNAL_SERVER_ERROR.into_response(),
        };
        parts.extensions.insert(caller);
    }
    next.run(Request::from_parts(parts, body)).await
}

fn check(guard: &Guard, parts: &Parts, peer: SocketAddr) -> Result<Caller, Box<Response>> {
    let request = RequestView::from(parts).peer(peer.ip());
    let route = parts.extensions.get::<MatchedPath>().map(MatchedPath::as_str);
    let (template, scopes): (_, &[&str]) = match (parts.method.as_str(), route) {
        ("GET" | "HEAD", Some("/me")) => ("/me", &[]),
        ("GET" | "HEAD", Some("/users/{id}")) => ("/users/{id}", &["read"]),
        ("POST", Some("/users")) => ("/users", &["write"]),
        // One template for all unknown paths, and only known methods. Otherwise the platform would count each path and
        // each method of a scan separately.
        ("GET" | "HEAD" | "POST" | "PUT" | "PATCH" | "DELETE" | "OPTIONS", _) => ("/{unknown}", &[]),
        _ => {
            let response = json(StatusCode::NOT_IMPLEMENTED, r#"{"error":"NOT_IMPLEMENTED"}"#.into());
            return Err(Box::new(response.into_response()));
        }
    };
    let grant = guard.route(template).require(scopes).check(request).map_err(|refusal| refusal.to_http())?;
    let claims = grant.key().claims();
    let json = serde_json::to_string(&claims).expect("claims are JSON");
    Ok(Caller { tenant: claims.tenant().to_owned(), claims: json })
}

async fn create(Extension(caller): Extension<Caller>) -> impl IntoResponse {
    json(StatusCode::CREATED, json!({ "tenant": caller.tenant }).to_string())
}

async fn not_found() -> impl IntoResponse {
    json(StatusCode::NOT_FOUND, r#"{"error":"NOT_FOUND"}"#.into())
}

fn json(status: StatusCode, body: String) -> impl IntoResponse + Clone {
    // A cache in front must not give one caller's answer to another: see docs/WEB_SERVERS.md.
    (status, [(CONTENT_TYPE, "application/json"), (CACHE_CONTROL, "no-store")], body)
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
