//! Shows how a device keeps X25519 out of its requests: it establishes sessions while it is idle, and seals each
//! request with one of them.
//!
//! The platform's side also runs here, instead of a radio and a server.
#![no_std]
#![no_main]

use core::time::Duration;

use apikee::{
    envelope::{OpenError, Recipient, ServerKey, Session, SessionPool, sealed_len},
    protocol::Answer,
};
use apikee_bare_metal::{
    entry,
    machine::{exit, instructions},
    rng::Pinned,
    sample::{ANSWER, REQUEST, SERVER_PRIVATE, SERVER_PUBLIC},
    say,
};

entry!(main);

const SESSIONS: usize = 2;
const MAX_AGE: Duration = Duration::from_secs(3600);

fn main() -> bool {
    match flow() {
        Ok(()) => true,
        Err(why) => {
            say!("{why}");
            false
        }
    }
}

fn flow() -> Result<(), &'static str> {
    let server: ServerKey = SERVER_PUBLIC.parse().map_err(|_| "the platform's key is refused")?;
    let platform = Recipient::new(SERVER_PRIVATE);
    let mut pool = SessionPool::<SESSIONS>::new(MAX_AGE);

    // While the device is idle. On a device these bytes come from its own generator.
    let secrets = [[1; 32], [2; 32]];
    let mut drawn = Pinned(secrets.as_flattened());
    let mut establishing = 0;
    while !pool.is_full() {
        let mut session = None;
        establishing += instructions(|| session = Session::establish(&server, &mut drawn).ok());
        let session = session.ok_or("a session cannot be established")?;
        pool.put(session, Duration::ZERO).map_err(|_| "the pool is full")?;
    }
    say!("{SESSIONS} sessions established ahead of time: {establishing} instructions");

    // A minute later the device sends requests. The nonce is drawn now, not ahead of time.
    let now = Duration::from_secs(60);
    let nonces = [[3; 12], [4; 12], [5; 12]];
    let mut drawn = Pinned(nonces.as_flattened());
    let mut wire = [0; sealed_len(REQUEST.len())];
    for request in 1..=SESSIONS {
        let session = pool.take(now).ok_or("the pool is empty")?;
        let mut sealed = None;
        let sealing = instructions(|| sealed = session.seal(REQUEST, &mut drawn, &mut wire).ok().map(|(_, own)| own));
        let pending = sealed.ok_or("the request does not seal")?;

        let (question, reply) = platform.open(&mut wire).map_err(|_| "the platform does not open the request")?;
        if question != REQUEST {
            return Err("the platform reads another plaintext");
        }
        let mut nonce = Pinned(&nonces[2]);
        let len = reply.seal(ANSWER, &mut nonce, &mut wire).map_err(|_| "the answer does not seal")?.len();

        let mut answer = Err(OpenError::Malformed);
        let opening = instructions(|| answer = pending.open(&mut wire[..len]));
        let opened = answer.map_err(|_| "the answer does not open")?;
        let verdict = Answer::read_opened(opened).map_err(|_| "the answer is not a verdict")?;
        if !verdict.success() {
            return Err("the platform refuses the request");
        }
        say!("request {request}: sealed in {sealing} instructions, its answer opened in {opening}");
    }
    if pool.is_empty() { Ok(()) } else { Err("a session is left over") }
}

#[panic_handler]
fn panicked(info: &core::panic::PanicInfo<'_>) -> ! {
    say!("{info}");
    exit(false)
}
