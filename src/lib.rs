// The README's example draws an id and reads the clock.
#![cfg_attr(all(feature = "std", feature = "getrandom"), doc = include_str!("../README.md"))]
#![cfg_attr(
    not(all(feature = "std", feature = "getrandom")),
    doc = "Issue and verify Apikee API keys: a `no_std` kernel without allocation."
)]
//! # Modules
//!
//! The root has the names that most programs use. The others are in modules:
//!
//! | module | what it is for |
//! |---|---|
//! | [`key`] | keys: issue, verify, scopes, fingerprints, deny-lists, and keys that were not verified |
//! | [`meta`] | data of the issuer's own in a key |
//! | `client` | server mode: how the client is configured, what it reports, and its transports |
//! | `web` | the guard in front of a service's routes |
//! | [`policy`] | what an answer of the platform, or an outage, means for a request |
//! | [`breaker`] | when to stop asking a platform that does not answer |
//! | `protocol` | the platform's requests and answers, without a socket |
//! | `envelope` | encryption of what goes over the wire |
//! | `emulator` | the platform on loopback, for tests and demos |
//! | [`embedding`] | a guide for firmware |
//!
//! `client`, `web`, `emulator`, and `protocol` with `envelope` come with features of these names (the last two with
//! `envelope`). Each module depends only on those below it: `emulator` and `web` on `client`, then `protocol`,
//! `policy` and `breaker`, `envelope`, `key`, and private modules for JSON, text, buffers, time and cryptography.
#![cfg_attr(not(test), no_std)]
#![cfg_attr(docsrs, feature(doc_cfg))]
#![forbid(unsafe_code)]
#![warn(unreachable_pub)]
// Tests may panic; that is how they fail.
#![cfg_attr(
    not(test),
    warn(
        clippy::unwrap_used,
        clippy::expect_used,
        clippy::panic,
        clippy::indexing_slicing,
        clippy::arithmetic_side_effects,
        clippy::as_conversions,
        clippy::std_instead_of_core
    )
)]

#[cfg(feature = "std")]
extern crate std;

pub mod breaker;
mod buf;
#[cfg(feature = "client")]
pub mod client;
mod crypto;
pub mod embedding;
#[cfg(feature = "emulator")]
pub mod emulator;
#[cfg(feature = "envelope")]
pub mod envelope;
mod error;
mod hex;
mod json;
pub mod key;
pub mod meta;
mod names;
#[cfg(any(feature = "emulator", feature = "web"))]
mod network;
pub mod policy;
#[cfg(feature = "envelope")]
pub mod protocol;
mod text;
mod time;
#[cfg(feature = "web")]
pub mod web;

pub use buf::BufferTooSmall;
#[cfg(feature = "client")]
pub use client::{Apikee, ConfigError, Revocations};
#[cfg(feature = "std")]
pub use key::OwnedKey;
pub use key::{
    Claims, Expiry, Fingerprint, KeyError, KeyId, Keyring, MissingScopes, NewKey, VerifiedKey, issue_buffer_len,
    verify_buffer_len,
};
#[cfg(feature = "std")]
pub use policy::OwnedGrant;
pub use policy::{Denial, Grant, Policy};
pub use time::UnixTime;

#[cfg(feature = "getrandom")]
pub use getrandom::SysRng;
