//! Answers requests without a socket, so that `valgrind` can count the instructions: `load_counted NAME NUMBER answer`.
//! With `ignore` instead of `answer`, it makes the same requests but does not answer them.

use std::{env, io, mem};

use apikee::{
    OwnedGrant,
    web::{Guard, Refusal},
};
use apikee_load::{USERS, start};
use tiny_http::{Header, Request, Response, TestRequest};

fn main() -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
    let mut arguments = env::args().skip(1);
    let mut next = || arguments.next().ok_or("give NAME NUMBER answer|ignore");
    let (name, number, what) = (next()?, next()?.parse()?, next()?);
    let (guard, callers) = start()?;
    let bare = name == "bare";
    let wanted = if bare { "accepted" } else { &*name };
    let (_, key) = callers.iter().find(|caller| caller.0 == wanted).ok_or("no caller has this name")?;
    let act: fn(&Guard, Request) -> std::io::Result<()> = match &*what {
        "answer" if bare => |_, request| request.respond(users()),
        "answer" => serve,
        // Dropping the request would answer it.
        "ignore" => |_, request| {
            mem::forget(request);
            Ok(())
        },
        _ => return Err("give answer or ignore".into()),
    };
    let passes = check(&guard, &request(key)).is_ok();
    if passes != (wanted == "accepted") {
        return Err(format!("{wanted}: the guard's answer is wrong").into());
    }
    for _ in 0..number {
        act(&guard, request(key))?;
    }
    Ok(())
}

/// The same request as `wrk` sends.
fn request(key: &str) -> Request {
    let fields = [("Host", "127.0.0.1:8080"), ("x-api-key", key)];
    let header = |(name, value)| Header::from_bytes::<&str, &str>(name, value).expect("it is ASCII");
    fields.map(header).into_iter().fold(TestRequest::new().with_path("/users"), TestRequest::with_header).into()
}

fn check<'g>(guard: &'g Guard, request: &Request) -> Result<OwnedGrant, Refusal<'g>> {
    guard.route("/users").require(&["read"]).check(request)
}

fn serve(guard: &Guard, request: Request) -> io::Result<()> {
    match check(guard, &request) {
        Ok(_) => request.respond(users()),
        Err(refusal) => refusal.respond(request),
    }
}

fn users() -> Response<io::Cursor<Vec<u8>>> {
    let json = Header::from_bytes("Content-Type", "application/json").expect("it is ASCII");
    Response::from_string(USERS).with_header(json)
}
