//! All faults of the emulator, and the expected result of each.
#![allow(dead_code, reason = "each test uses its part")]

use std::time::Duration;

use apikee::{emulator::Misbehaviour, policy::Outage};

/// The kind of a fault. An outage may fail open.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Class {
    Fine,
    Outage(Outage),
    Rejected,
    Fault,
}

/// All faults, for a client with this timeout.
pub fn faults(limit: Duration) -> Vec<(Misbehaviour, Class)> {
    use Class::{Fault, Fine, Outage as Out, Rejected};
    vec![
        (Misbehaviour::Status(500), Out(Outage::Status(500))),
        (Misbehaviour::Status(502), Out(Outage::Status(502))),
        (Misbehaviour::Status(599), Out(Outage::Status(599))),
        (Misbehaviour::Unavailable { retry_after: 7 }, Out(Outage::Status(503))),
        (Misbehaviour::Status(401), Fault),
        (Misbehaviour::Status(403), Rejected),
        (Misbehaviour::Status(404), Fault),
        (Misbehaviour::Status(408), Fault),
        (Misbehaviour::Status(429), Rejected),
        (Misbehaviour::Redirect("http://127.0.0.1:9/".into()), Fault),
        (Misbehaviour::Delay(Duration::ZERO), Fine),
        (Misbehaviour::Delay(limit * 3), Out(Outage::Timeout)),
        (Misbehaviour::Drip { every: limit / 20 }, Out(Outage::Timeout)),
        (Misbehaviour::Reset, Out(Outage::Reset)),
        (Misbehaviour::HangUp, Out(Outage::Reset)),
        (Misbehaviour::CloseIdle, Fine),
        (Misbehaviour::Truncate, Out(Outage::Reset)),
        (Misbehaviour::Garbage, Fault),
        (Misbehaviour::Oversized(10_000_000), Fault),
        (Misbehaviour::Forged, Fault),
        (Misbehaviour::Impostor, Fault),
        (Misbehaviour::Replayed, Fault),
        (Misbehaviour::Reflected, Fault),
        (Misbehaviour::Unsealed, Fault),
        (Misbehaviour::Refuse, Rejected),
    ]
}
