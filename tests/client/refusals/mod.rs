//! Outcomes that may fail open, and those that must not. A client must not be able to get its refused request through
//! by making the platform or this process fail.

mod clients;
mod input;
mod limits;
mod matrix;
mod transport;
mod wire;

use std::{sync::Barrier, thread};

use apikee::{
    Apikee, Denial, UnixTime,
    client::{ApikeeBuilder, AuthorizeRequest},
    emulator::{Emulator, EmulatorBuilder},
    policy::{Basis, Fault, Outage, Overload, Rejection},
    protocol::MethodPath,
};

use crate::{LONG, faults, platform, ureq::server, wait_until};

/// Why a request is denied, without borrowed data.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Denied {
    Rejected(Rejection),
    Remembered(Rejection),
    Outage(Outage),
    Overload(Overload),
    Fault(Fault),
    /// The platform was not asked.
    Local(&'static str),
}

type Decision = Result<Basis, Denied>;

/// The decision on a request with this key to `GET /users`.
fn ask(apikee: &Apikee, key: &str) -> Decision {
    ask_for(apikee, key, "/users", &[])
}

fn ask_for(apikee: &Apikee, key: &str, path: &str, headers: &[(&str, &str)]) -> Decision {
    decide(apikee, &AuthorizeRequest::new(Some(key), MethodPath::new("GET", path).unwrap()).headers(headers))
}

fn decide(apikee: &Apikee, request: &AuthorizeRequest<'_, '_>) -> Decision {
    apikee.authorize(request).map(|grant| grant.basis()).map_err(|denial| match denial {
        Denial::Rejected(rejection) => Denied::Rejected(rejection),
        Denial::Remembered(rejection) => Denied::Remembered(rejection),
        Denial::Outage(outage) => Denied::Outage(outage),
        Denial::Overload(overload) => Denied::Overload(overload),
        Denial::Fault(fault) => Denied::Fault(fault),
        local => Denied::Local(local.code()),
    })
}

/// Calls `ask` on `threads` threads at once, `each` times on each. Its argument is the number of the request.
fn at_once<T: Send>(threads: usize, each: usize, ask: impl Fn(usize) -> T + Sync) -> Vec<T> {
    let (start, ask) = (Barrier::new(threads), &ask);
    thread::scope(|scope| {
        let start = &start;
        let threads: Vec<_> = (0..threads)
            .map(|thread| {
                scope.spawn(move || {
                    start.wait();
                    (0..each).map(|round| ask(thread * each + round)).collect::<Vec<_>>()
                })
            })
            .collect();
        threads.into_iter().flat_map(|thread| thread.join().unwrap()).collect()
    })
}

/// A platform whose clock stands still, 400 s before the full hour.
fn emulator() -> EmulatorBuilder {
    Emulator::builder().time(UnixTime::from_secs(1_760_000_000)).timestamp_tolerance(None)
}

/// A client of that platform with the defaults, except that it registers no routes.
fn builder(emulator: &Emulator) -> ApikeeBuilder {
    Apikee::builder()
        .secret(platform::SECRET)
        .project_key(Emulator::PROJECT_KEY)
        .project_env(emulator.project_env())
        .server_public_key(emulator.public_key())
        .base_url(emulator.url())
        .auto_register(false)
}

/// A client of the platform at this URL. No answer there can be sealed correctly.
fn builder_at(url: &str) -> ApikeeBuilder {
    Apikee::builder()
        .secret(platform::SECRET)
        .project_key(platform::PROJECT_KEY)
        .project_env("my-app-production")
        .server_key(
            apikee::envelope::ServerKey::from_bytes(*apikee::envelope::Recipient::new([7; 32]).public_key()).unwrap(),
        )
        .base_url(url)
        .auto_register(false)
        .tenant_is_client_id(true)
}

/// The id of the client with this number.
fn id(number: usize) -> String {
    format!("497f6eca-6276-4993-bfeb-{number:012x}")
}
