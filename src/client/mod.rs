//! The blocking client: a thin shell with a clock, randomness, threads and a connection around the
//! kernel, which has none of them.

mod transport;

pub use transport::{Call, Received, Transport, TransportError};
