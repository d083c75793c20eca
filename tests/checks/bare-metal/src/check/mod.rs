//! Runs the kernel on every vector that `build/vectors.rs` has converted, and checks the result.

mod envelopes;
mod exchanges;
mod keys;
mod memory;

use envelopes::{EnvelopeCase, Kind};
use exchanges::Exchange;
use keys::{Expected, Json, KeyCase};

include!(concat!(env!("OUT_DIR"), "/vectors.rs"));

/// `Ok`, or what is wrong.
pub type Outcome = Result<(), &'static str>;

/// The buffers that all checks share.
pub struct Buffers {
    pub a: [u8; 12 * 1024],
    pub b: [u8; 12 * 1024],
}

/// Calls `report` with the name and the outcome of each check: first of the memory functions, then of each vector.
pub fn all(buffers: &mut Buffers, mut report: impl FnMut(&str, Outcome)) {
    report("memory", memory::check());
    for case in KEYS {
        report(case.name, keys::check(case, &mut buffers.a));
    }
    for case in ENVELOPES {
        report(case.name, envelopes::check(case, buffers));
    }
    for (at, exchange) in EXCHANGES.iter().enumerate() {
        report(exchange.target, exchanges::check(at, exchange, buffers));
    }
}
