//! The server that `tests/load/run` loads: `load bare` or `load guarded`, which differ by the guard alone.
//!
//! Prints its address, and who may ask it with which key, as `name=key`. Ends with its standard input.
mod service;

use std::{
    io::{self, Read as _},
    sync::Arc,
    thread,
};

use service::{serve, start, users};
use tiny_http::Server;

/// As many as connections are made: `tiny_http` reads each from a thread of its own, and hands requests to these.
const WORKERS: usize = 4;

fn main() -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
    let guarded = match std::env::args().nth(1).as_deref() {
        Some("bare") => false,
        Some("guarded") => true,
        _ => return Err("bare or guarded?".into()),
    };
    let (guard, callers) = start()?;
    let server = Arc::new(Server::http("127.0.0.1:0")?);
    let callers = callers.map(|(name, key)| format!(" {name}={key}")).concat();
    println!("http://{}{callers}", server.server_addr());

    let guard = Arc::new(guard);
    for _ in 0..WORKERS {
        let (server, guard) = (Arc::clone(&server), Arc::clone(&guard));
        thread::spawn(move || {
            for request in server.incoming_requests() {
                // Who hangs up before the answer is there is no concern of the others'.
                let _ = if guarded { serve(&guard, request) } else { request.respond(users()) };
            }
        });
    }
    io::stdin().read_to_end(&mut Vec::new())?;
    Ok(())
}
