//! Envelopes with fixed keys and nonces, and server mode with the platform on loopback, also in outages.

use std::{
    error::Error,
    io::Write as _,
    sync::Barrier,
    thread,
    time::{Duration, Instant},
};

use apikee::{
    Apikee, Denial, NewKey, Policy,
    breaker::{BreakerConfig, BreakerState},
    client::{AuthorizeRequest, Upsert},
    emulator::{EmulatedClient, Emulator, Misbehaviour, Occasion},
    envelope::{OpenError, Pending, Recipient, ServerKey, Session, sealed_len},
    policy::FailOpen,
    protocol::MethodPath,
};

use super::{NOW, SECRET, Shown, Stage, changed};
use crate::{authorize, exchange::Pinned};

const SERVER_SECRET: [u8; 32] = [0x5e; 32];
const EPHEMERAL_SECRET: [u8; 32] = [0xe9; 32];
const REQUEST_IV: [u8; 12] = [1; 12];
const ANSWER_IV: [u8; 12] = [2; 12];

const REQUEST: &[u8] = br#"{"name":"default","timestamp":"2025-10-09T08:53:20Z","headers":{}}"#;
const ANSWER: &[u8] = br#"{"success":true}"#;

pub(super) fn envelopes(stage: &mut Stage) -> Shown {
    stage.heading("A request is sealed for the server, and its answer for the client")?;
    let recipient = Recipient::new(SERVER_SECRET);
    let server = ServerKey::from_bytes(*recipient.public_key())?;

    let (request, pending) = seal(&server)?;
    writeln!(stage.out, "  {request}\n")?;
    let mut arrived = request.clone().into_bytes();
    let (plaintext, reply) = recipient.open(&mut arrived)?;
    opened(stage, "the request, at the server", "ok", Ok(plaintext), REQUEST)?;

    let mut buf = vec![0; sealed_len(ANSWER.len())];
    let answer = reply.seal(ANSWER, &mut Pinned(&ANSWER_IV), &mut buf)?;
    at_client(stage, "its answer, at the client", "ok", pending, answer)?;
    // A `Pending` opens only one answer, so each of these answers has its own.
    at_client(stage, "the request, reflected", "WrongKey", seal(&server)?.1, &request)?;
    let ciphertext = answer.find(r#""ct":""#).map_or(0, |member| member + r#""ct":""#.len());
    at_client(stage, "the answer, changed", "Forged", seal(&server)?.1, &changed(answer, ciphertext))
}

/// The sealed request, and the [`Pending`] that opens its answer.
fn seal(server: &ServerKey) -> Result<(String, Pending), Box<dyn Error>> {
    let session = Session::establish(server, &mut Pinned(&EPHEMERAL_SECRET))?;
    let mut buf = vec![0; sealed_len(REQUEST.len())];
    let (request, pending) = session.seal(REQUEST, &mut Pinned(&REQUEST_IV), &mut buf)?;
    Ok((request.to_owned(), pending))
}

fn at_client(stage: &mut Stage, tried: &str, expected: &str, pending: Pending, answer: &str) -> Shown {
    let mut arrived = answer.as_bytes().to_vec();
    let came = pending.open(&mut arrived);
    opened(stage, tried, expected, came.as_ref().map(|opened| opened.as_bytes()).map_err(|error| *error), ANSWER)
}

/// A line about the result of opening. It is `"ok"` only if the plaintext is the sealed one.
fn opened(stage: &mut Stage, tried: &str, expected: &str, came: Result<&[u8], OpenError>, sealed: &[u8]) -> Shown {
    match came {
        Ok(plaintext) if plaintext == sealed => {
            stage.outcome(tried, expected, "ok", format_args!("{} bytes", plaintext.len()))
        }
        Ok(_) => stage.outcome(tried, expected, "another plaintext", ""),
        Err(error) => stage.outcome(tried, expected, &format!("{error:?}"), error),
    }
}

/// Requests that are made at once.
const CROWD: usize = 64;

/// The number of failures in a row after which the platform is not asked for a while.
const FAILURES: u32 = 2;

pub(super) fn server_mode(stage: &mut Stage) -> Shown {
    stage.heading("In server mode the platform is asked about each request (here on loopback)")?;
    // The clock stands still, so that no new hour starts during the demo and resets the hourly limit.
    let platform = Emulator::builder().time(NOW).timestamp_tolerance(None).start()?;
    let open = client(&platform, FailOpen::Open)?;
    let closed = client(&platform, FailOpen::Closed)?;

    let mut buf = [0; 1024];
    let issued = open.issue(&NewKey::new("acme-corp").scopes(&["read"]), &mut buf)?;
    let key = issued.key();
    let registered = if matches!(issued.upsert(), Upsert::Done(_)) { "ok" } else { "postponed" };
    stage.outcome("a key of a client on the platform", "ok", registered, "client id in meta.clientId")?;

    ask(stage, "a request with this key", "confirmed", &open, key)?;
    ask(stage, "a second, on the same connection", "confirmed", &open, key)?;
    ask(stage, "with a key that is changed", "INVALID_SIGNATURE", &open, &changed(key, 12))?;

    let Upsert::Done(id) = issued.upsert() else {
        return Err("the platform on loopback does not answer".into());
    };
    platform.add_client(id, EmulatedClient::new("acme-corp").hourly(1));
    ask(stage, "one request an hour: the first", "confirmed", &open, key)?;
    ask(stage, "one request an hour: the second", "SERVER_REJECTED", &open, key)?;
    at_once(stage, &open, key)?;
    // At every request, not only at the next one: a request that breaks on a kept connection is sent again.
    platform.misbehave(Misbehaviour::Reset, Occasion::Always);
    ask(stage, "in an outage, the refusal still holds", "SERVER_REJECTED", &open, key)?;
    platform.behave();
    platform.add_client(id, EmulatedClient::new("acme-corp").network("203.0.113.0/24")?);
    ask(stage, "from outside the client's networks", "SERVER_REJECTED", &open, key)?;
    platform.add_client(id, EmulatedClient::new("acme-corp"));
    ask(stage, "without limits again", "confirmed", &open, key)?;

    platform.misbehave(Misbehaviour::Forged, Occasion::Next(1));
    ask(stage, "an answer that was changed", "SERVER_FAULT", &open, key)?;
    platform.misbehave(Misbehaviour::Reset, Occasion::Always);
    ask(stage, "an outage, failing closed", "SERVER_UNAVAILABLE", &closed, key)?;
    platform.behave();

    let mut buf = [0; 1024];
    let other = open.issue(&NewKey::new("globex").scopes(&["read"]), &mut buf)?.key();
    platform.misbehave(Misbehaviour::Reset, Occasion::Always);
    ask(stage, "one client's call fails, failing open", "failed_open", &open, key)?;
    ask(stage, "and again", "failed_open", &open, key)?;
    ask(stage, "its third: the platform is not asked", "failed_open", &open, key)?;
    platform.behave();
    ask(stage, "another client is asked about", "confirmed", &open, other)?;
    breaker(stage, "closed", "only the first client's breaker is open", &open)?;

    platform.misbehave(Misbehaviour::Reset, Occasion::Always);
    let open = client(&platform, FailOpen::Open)?;
    ask(stage, "one client's call fails", "failed_open", &open, key)?;
    ask(stage, "another client's call fails, too", "failed_open", &open, other)?;
    ask(stage, "the next: the platform is not asked", "failed_open", &open, other)?;
    breaker(stage, "open", "at most a minute; then one call is made", &open)
}

fn client(platform: &Emulator, outages: FailOpen) -> Result<Apikee, Box<dyn Error>> {
    let minute = Duration::from_secs(60);
    Ok(Apikee::builder()
        .secret(SECRET)
        .project_key(Emulator::PROJECT_KEY)
        .project_env(platform.project_env())
        .server_public_key(platform.public_key())
        .base_url(platform.url())
        .policy(Policy::DEFAULT.fail_open(outages))
        .breaker(BreakerConfig::DEFAULT.consecutive_failures(FAILURES)?.cool_down(minute, minute)?)
        // So that no registration is sent while the platform misbehaves.
        .auto_register(false)
        .build()?)
}

/// A line about the breaker for all clients.
fn breaker(stage: &mut Stage, expected: &str, remark: &str, apikee: &Apikee) -> Shown {
    let state = match apikee.breaker_state() {
        Some(BreakerState::Open) => "open",
        Some(BreakerState::Closed) => "closed",
        _ => "half-open",
    };
    stage.outcome("the circuit breaker for all", expected, state, remark)
}

/// A line about many simultaneous requests of a client whose rate limit is exceeded.
fn at_once(stage: &mut Stage, apikee: &Apikee, key: &str) -> Shown {
    let route = MethodPath::new("GET", "/users")?;
    let together = Barrier::new(CROWD);
    let through = thread::scope(|scope| {
        let asks = || {
            together.wait();
            apikee.authorize(&AuthorizeRequest::new(Some(key), route)).is_ok()
        };
        let threads: Vec<_> = (0..CROWD).map(|_| scope.spawn(asks)).collect();
        // A thread that panics has let nobody through.
        threads.into_iter().filter_map(|thread| thread.join().ok()).filter(|through| *through).count()
    });
    let tried = format!("{CROWD} more at once");
    let came = format!("{through} let through");
    stage.outcome(&tried, "0 let through", &came, "load does not let requests through")
}

/// A line about one request. Its expected and its actual result are a basis or the code of a denial.
fn ask(stage: &mut Stage, tried: &str, expected: &str, apikee: &Apikee, key: &str) -> Shown {
    let request = AuthorizeRequest::new(Some(key), MethodPath::new("GET", "/users")?).scopes(&["read"]);
    let start = Instant::now();
    let decision = apikee.authorize(&request);
    let elapsed = start.elapsed();
    match &decision {
        Ok(grant) => stage.outcome(tried, expected, grant.basis().name(), remark(&grant.basis().to_string(), elapsed)),
        Err(denial) => stage.outcome(tried, expected, denial.code(), remark(&why(denial), elapsed)),
    }
}

fn why(denial: &Denial<'_>) -> String {
    match denial {
        Denial::Remembered(_) => denial.to_string(),
        _ => authorize::cause(denial).unwrap_or_else(|| denial.to_string()),
    }
}

fn remark(what: &str, elapsed: Duration) -> String {
    format!("{what}, {:.2} ms", elapsed.as_secs_f64() * 1e3)
}
