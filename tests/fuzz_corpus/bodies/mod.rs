//! One body for each fuzz target. Each compares the library with a second implementation. A panic is always a failure.
//!
//! The crate that includes this module must have `tests/support` as its module `support`.
#![allow(dead_code, reason = "each crate uses its part")]

#[cfg(feature = "envelope")]
pub mod answer;
#[cfg(feature = "web")]
pub mod authorize;
pub mod base62;
pub mod breaker;
mod claims;
#[cfg(feature = "envelope")]
pub mod envelope;
#[cfg(feature = "web")]
pub mod guard;
pub mod issue_verify;
pub mod json;
mod model;
pub mod msgpack;
#[cfg(feature = "envelope")]
pub mod open_client;
#[cfg(feature = "envelope")]
pub mod open_recipient;
pub mod payload;
#[cfg(feature = "web")]
pub mod percent;
pub mod refusals;
#[cfg(feature = "envelope")]
pub mod request;
#[cfg(feature = "envelope")]
pub mod sealed;
pub mod splitter;
#[cfg(feature = "ureq")]
pub mod transport;
mod trees;
pub mod verify;
