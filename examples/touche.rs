//! An API behind a guard, served by `touche`, a blocking server on the types of the `http` crate.
//!
//! The second line starts it, on another address if one is given:
//!
//! ```text
//! export APIKEE_SECRET=$(openssl rand -hex 32)    # where it runs and where keys are issued
//! cargo run --features http,openapi,serde,ureq --example touche
//! curl -i http://127.0.0.1:8080/me -H "x-api-key: $(apikee issue --tenant acme-corp --scope read)"
//! ```
//!
//! `REVOKED` lists fingerprints of keys, with commas between them. `ApikeeBuilder::from_env` documents the other
//! variables: set those of server mode, and the platform is asked about each request.
use std::{
    collections::HashSet,
    convert::Infallible,
    env,
    error::Error,
    net::{SocketAddr, TcpListener},
    sync::Arc,
};

use apikee::{
    ApikeeBuilder, Fingerprint, OwnedGrant,
    web::{Guard, RequestView},
};
use serde_json::json;
use touche::{Body, Connection, Request, Response, Server};

fn main() -> Result<(), Box<dyn Error>> {
    let guard = Arc::new(guard()?);
    let address = env::args().nth(1).unwrap_or_else(|| "127.0.0.1:8080".into());
    let listener = TcpListener::bind(address)?;
    println!("listening on http://{}", listener.local_addr()?);
    Server::from(listener).make_service(move |connection: &Connection| {
        // The types of the `http` crate do not say whose request it is.
        let (guard, peer) = (Arc::clone(&guard), connection.peer_addr());
        Ok::<_, Infallible>(move |request: Request<Body>| Ok::<_, Infallible>(respond(&guard, &request, peer)))
    })?;
    Ok(())
}

fn guard() -> Result<Guard, Box<dyn Error>> {
    let apikee = ApikeeBuilder::from_env()?;
    let revoked = env::var_os("REVOKED").unwrap_or_default().to_string_lossy().into_owned();
    let revoked = revoked.split(',').map(str::trim).filter(|fingerprint| !fingerprint.is_empty());
    let revoked = revoked.map(str::parse).collect::<Result<HashSet<Fingerprint>, _>>()?;
    let apikee = apikee.revoked(move |key| revoked.contains(&key.fingerprint())).build()?;
    Ok(Guard::new(apikee).excluded_paths(["/health", "/openapi.json"]))
}

fn respond(guard: &Guard, request: &Request<Body>, peer: Option<SocketAddr>) -> Response<String> {
    let method = if request.method() == "HEAD" { "GET" } else { request.method().as_str() };
    let segments: Vec<&str> = request.uri().path().split('/').collect();
    let mut request = RequestView::from(request);
    if let Some(peer) = peer {
        request = request.peer(peer.ip());
    }

    let checked = match (method, &segments[..]) {
        ("GET", ["", "health"]) => return response(200, "text/plain", "ok".into()),
        ("GET", ["", "openapi.json"]) => Ok((200, openapi(guard))),
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
        _ => guard.check(request).map(|_| (404, r#"{"error":"NOT_FOUND"}"#.into())),
    };
    match checked {
        Ok((status, body)) => response(status, "application/json", body),
        Err(refusal) => refusal.to_http(),
    }
}

fn response(status: u16, content_type: &str, body: String) -> Response<String> {
    Response::builder().status(status).header("Content-Type", content_type).body(body).expect("they are good")
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
    document.to_string()
}
