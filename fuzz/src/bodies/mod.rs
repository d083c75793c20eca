//! One body for each fuzz target. Each checks a property against a second implementation; that
//! nothing panics goes without saying.
//!
//! The crate that this module is part of has `tests/support` as its module `support`.
#![allow(dead_code, reason = "each crate uses its part")]

pub mod base62;
mod claims;
pub mod issue_verify;
pub mod json;
mod model;
pub mod msgpack;
pub mod verify;
