//! The emulator, tested over bare sockets, so that the tests see the bytes on the wire.
#![cfg(feature = "emulator")]

mod calls;
mod checks;
mod clients;
mod lifecycle;
mod log;
mod management;
mod misbehaviour;
mod page;
mod recorded;
mod state;
#[cfg(target_os = "linux")]
mod threads;
mod wire;

use std::{
    thread,
    time::{Duration, Instant},
};

use apikee::{
    UnixTime,
    emulator::{EmulatedClient, Emulator, EmulatorBuilder},
    protocol::{ClientId, MethodPath, Timestamp, ValidateRequest},
};

/// 2026-11-24T02:21:45.017Z
const NOW: UnixTime = UnixTime::from_millis(1_795_486_905_017);

/// Threads and connections appear and disappear a little later than they are started and ended.
#[track_caller]
fn until(met: impl Fn() -> bool) {
    let started = Instant::now();
    while !met() {
        assert!(started.elapsed() < Duration::from_secs(10));
        thread::yield_now();
    }
}

fn id() -> ClientId {
    ClientId::new("497f6eca-6276-4993-bfeb-53cbbbba6f08").unwrap()
}

/// An emulator whose clock stands still at [`NOW`].
fn builder() -> EmulatorBuilder {
    Emulator::builder().time(NOW)
}

/// An emulator that knows this client under [`id`].
fn knowing(client: EmulatedClient) -> Emulator {
    let emulator = builder().start().unwrap();
    emulator.add_client(id(), client);
    emulator
}

/// An emulator that knows a client without limits.
fn started() -> Emulator {
    knowing(EmulatedClient::new("acme-corp"))
}

/// A request that asks whether the client may `GET /users`. It is sent at [`NOW`].
fn validation<'a>() -> ValidateRequest<'a> {
    validation_at(NOW)
}

fn validation_at<'a>(time: UnixTime) -> ValidateRequest<'a> {
    let route = MethodPath::new("GET", "/users").unwrap();
    ValidateRequest::new(id(), Emulator::PROJECT_ENV, route, Timestamp::new(time).unwrap())
}
