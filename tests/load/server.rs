//! The server that `tests/load/run` loads: `load bare` or `load guarded`, which differ by the guard alone.
//!
//! Prints its address, and a good key of a secret of its own. Ends with its standard input.
use std::{
    io::{self, Read as _},
    sync::Arc,
    thread,
};

use apikee::{Apikee, NewKey, web::Guard};
use tiny_http::{Header, Request, Response, Server};

/// As many as connections are made: `tiny_http` reads each from a thread of its own, and hands requests to these.
const WORKERS: usize = 4;

fn main() -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
    let guarded = match std::env::args().nth(1).as_deref() {
        Some("bare") => false,
        Some("guarded") => true,
        _ => return Err("bare or guarded?".into()),
    };
    let apikee = Apikee::builder().secret(b"the secret of the load test").build()?;
    let mut buf = [0; 1024];
    let issued = apikee.issue(&NewKey::new("acme-corp").scopes(&["read", "write"]), &mut buf)?;
    let server = Arc::new(Server::http("127.0.0.1:0")?);
    println!("http://{} {}", server.server_addr(), issued.key());

    let guard = Arc::new(Guard::new(apikee));
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

fn serve(guard: &Guard, request: Request) -> io::Result<()> {
    let mut buf = [0; 1024];
    match guard.route("/users").require(&["read"]).check(&request, &mut buf) {
        Ok(_) => request.respond(users()),
        Err(refusal) => refusal.respond(request),
    }
}

fn users() -> Response<io::Cursor<Vec<u8>>> {
    let json = Header::from_bytes("Content-Type", "application/json").expect("it is ASCII");
    Response::from_string(r#"{"users":[]}"#).with_header(json)
}
