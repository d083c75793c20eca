//! What is loaded, and by whom.
use std::io;

use apikee::{Apikee, Expiry, NewKey, UnixTime, web::Guard};
use tiny_http::{Header, Request, Response};

type Error = Box<dyn std::error::Error + Send + Sync>;

/// Who asks, and the key that they have; all but the first are refused.
pub(crate) type Callers = [(&'static str, String); 5];

pub(crate) fn start() -> Result<(Guard, Callers), Error> {
    let apikee = Apikee::builder().secret(b"the secret of the load test").build()?;
    let issue = |new| -> Result<String, Error> { Ok(apikee.issue(&new, &mut [0; 1024])?.key().to_owned()) };
    let new = NewKey::new("acme-corp").scopes(&["read", "write"]);
    let good = issue(new)?;
    let forged = good[..good.len() - 1].to_owned() + if good.ends_with('0') { "1" } else { "0" };
    let expired = issue(new.expires(Expiry::At(UnixTime::from_secs(1_700_000_000))))?;
    let under_scoped = issue(new.scopes(&["red", "write"]))?;
    let callers = [
        ("accepted", good),
        ("no-key", String::new()),
        ("forged", forged),
        ("expired", expired),
        ("under-scoped", under_scoped),
    ];
    Ok((Guard::new(apikee), callers))
}

pub(crate) fn serve(guard: &Guard, request: Request) -> io::Result<()> {
    match guard.route("/users").require(&["read"]).check(&request) {
        Ok(_) => request.respond(users()),
        Err(refusal) => refusal.respond(request),
    }
}

pub(crate) fn users() -> Response<io::Cursor<Vec<u8>>> {
    let json = Header::from_bytes("Content-Type", "application/json").expect("it is ASCII");
    Response::from_string(r#"{"users":[]}"#).with_header(json)
}
