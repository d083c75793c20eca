//! The oxhttp server that `tests/checks/load/run` puts under load: `load bare` or `load guarded`. They differ only in
//! the guard.
//!
//! Prints its address, and the callers with their keys as `name=key`. Ends when its standard input ends.

use std::{
    io::{self, Read as _},
    net::TcpListener,
};

use apikee::web::Guard;
use apikee_load::{USERS, start};
use oxhttp::{
    Server,
    model::{Body, Request, Response, header::CONTENT_TYPE},
};

fn main() -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
    let guarded = match std::env::args().nth(1).as_deref() {
        Some("bare") => false,
        Some("guarded") => true,
        _ => return Err("give a mode: bare or guarded".into()),
    };
    let (guard, callers) = start()?;
    // Chooses a free port here, because `oxhttp` does not report the port that it binds.
    let address = TcpListener::bind("127.0.0.1:0")?.local_addr()?;
    let on_request = move |request: &mut Request<Body>| if guarded { serve(&guard, request) } else { users() };
    let _server = Server::new(on_request).bind(address).spawn()?;
    let callers = callers.map(|(name, key)| format!(" {name}={key}")).concat();
    println!("http://{address}{callers}");
    io::stdin().read_to_end(&mut Vec::new())?;
    Ok(())
}

fn serve(guard: &Guard, request: &Request<Body>) -> Response<Body> {
    match guard.route("/users").require(&["read"]).check(request) {
        Ok(_) => users(),
        Err(refusal) => refusal.to_http(),
    }
}

fn users() -> Response<Body> {
    Response::builder().header(CONTENT_TYPE, "application/json").body(USERS.into()).expect("they are good")
}
