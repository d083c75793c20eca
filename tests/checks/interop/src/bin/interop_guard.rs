//! Our guard in `tiny_http`, for `tests/checks/interop/web.py`, which compares it with the SDKs' middlewares.
//!
//! `SECRETS` is a JSON array of secrets, the current one first. `ROUTES` is a JSON object of paths and the scopes that
//! they need. Prints its port, and runs until its standard input ends. The answer to a request that passes contains the
//! claims of the key.
use std::{collections::BTreeMap, env, error::Error, io, process, thread};

use apikee::{
    Apikee, Keyring,
    web::{Guard, Refusal},
};
use serde_json::{Value, json};
use tiny_http::{Header, Request, Response, Server};

type Routes = BTreeMap<String, Vec<String>>;

const THREADS: usize = 4;

fn main() -> Result<(), Box<dyn Error>> {
    let secrets: Vec<String> = serde_json::from_str(&env::var("SECRETS")?)?;
    let (current, previous) = secrets.split_first().ok_or("no secret")?;
    let mut keys = Keyring::new(current.as_bytes())?;
    for secret in previous {
        keys.accept(secret.as_bytes())?;
    }
    let routes: Routes = serde_json::from_str(&env::var("ROUTES")?)?;
    let guard = Guard::new(Apikee::builder().keyring(keys).build()?);

    let server = Server::http("127.0.0.1:0").map_err(|error| error.to_string())?;
    println!("{}", server.server_addr().to_ip().ok_or("no port")?.port());
    thread::scope(|scope| {
        for _ in 0..THREADS {
            // A client that has disconnected is not an error of this server.
            scope.spawn(|| server.incoming_requests().for_each(|request| drop(answer(&guard, &routes, request))));
        }
        let ended = io::copy(&mut io::stdin(), &mut io::sink());
        process::exit(ended.is_err().into())
    })
}

fn answer(guard: &Guard, routes: &Routes, request: Request) -> io::Result<()> {
    let path = request.url().split('?').next().unwrap_or_default();
    let scopes: Option<Vec<&str>> = routes.get(path).map(|scopes| scopes.iter().map(String::as_str).collect());
    match claims(guard, scopes.as_deref(), &request) {
        Ok(claims) => {
            let json = Header::from_bytes("Content-Type", "application/json").expect("it is a header");
            request.respond(Response::from_string(json!({ "claims": claims }).to_string()).with_header(json))
        }
        Err(refusal) => refusal.respond(request),
    }
}

/// The claims of the key, or null if the path needs no key.
fn claims<'g>(guard: &'g Guard, scopes: Option<&'g [&'g str]>, request: &Request) -> Result<Value, Refusal<'g>> {
    let grant = match scopes {
        Some(scopes) => Some(guard.require(scopes).check(request)?),
        None => guard.check(request)?,
    };
    Ok(json!(grant.as_ref().map(|grant| grant.key().claims())))
}
