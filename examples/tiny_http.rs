//! An API behind a guard, served by `tiny_http`.
//!
//! The second line starts it, on another address if one is given:
//!
//! ```text
//! export APIKEE_SECRET=$(openssl rand -hex 32)    # where it runs and where keys are issued
//! cargo run --features tiny_http,openapi,serde,ureq --example tiny_http
//! curl -i http://127.0.0.1:8080/me -H "x-api-key: $(apikee issue --tenant acme-corp --scope read)"
//! ```
//!
//! `REVOKED` lists fingerprints of keys, with commas between them. `ApikeeBuilder::from_env` documents the other
//! variables: set those of server mode, and the platform is asked about each request.
use std::{collections::HashSet, env, error::Error, io, thread};

use apikee::{ApikeeBuilder, Fingerprint, OwnedGrant, web::Guard};
use serde_json::json;
use tiny_http::{Header, Method, Request, Response, Server};

const THREADS: usize = 8;

fn main() -> Result<(), Box<dyn Error + Send + Sync>> {
    let guard = guard()?;
    let address = env::args().nth(1).unwrap_or_else(|| "127.0.0.1:8080".into());
    let server = Server::http(address)?;
    println!("listening on http://{}", server.server_addr());
    thread::scope(|scope| {
        for _ in 0..THREADS {
            scope.spawn(|| {
                for request in server.incoming_requests() {
                    // Whoever has gone away needs no answer.
                    let _ = serve(&guard, request);
                }
            });
        }
    });
    Ok(())
}

fn guard() -> Result<Guard, Box<dyn Error + Send + Sync>> {
    let apikee = ApikeeBuilder::from_env()?;
    let revoked = env::var_os("REVOKED").unwrap_or_default().to_string_lossy().into_owned();
    let revoked = revoked.split(',').map(str::trim).filter(|fingerprint| !fingerprint.is_empty());
    let revoked = revoked.map(str::parse).collect::<Result<HashSet<Fingerprint>, _>>()?;
    let apikee = apikee.revoked(move |key| revoked.contains(&key.fingerprint())).build()?;
    Ok(Guard::new(apikee).excluded_paths(["/health", "/openapi.json"]))
}

fn serve(guard: &Guard, request: Request) -> io::Result<()> {
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
        _ => guard.check(&request).map(|_| (404, r#"{"error":"NOT_FOUND"}"#.into())),
    };
    match checked {
        Ok((status, body)) => {
            let json = Header::from_bytes("Content-Type", "application/json").expect("it is ASCII");
            request.respond(Response::from_string(body).with_status_code(status).with_header(json))
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
    document.to_string()
}
