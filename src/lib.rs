//! Issue and verify [Apikee](https://apikee.dev) API keys: a synchronous, `no_std` kernel that allocates nothing, with
//! a blocking client and a web guard around it.
//!
//! ```text
//! cargo add --path PATH/TO/apikee
//! ```
//!
//! # Verify a key
//!
//! ```
//! # #[cfg(feature = "std")]
//! fn tenant(header: Option<&str>) -> Result<String, Box<dyn std::error::Error>> {
//!     let keys = apikee::Keyring::new(b"the current secret: 32 random bytes")?;
//!     let mut buf = [0; 1024];
//!     let key = keys.verify_header(header, apikee::UnixTime::now(), &mut buf)?;
//!     key.require(&["read"])?;
//!     Ok(key.claims().tenant().to_owned())
//! }
//! # #[cfg(feature = "std")]
//! assert!(tenant(None).is_err());
//! ```
//!
//! # Ask the platform
//!
//! With the feature `ureq`. `Apikee::from_env` makes the client:
//!
//! ```
//! # #[cfg(feature = "ureq")]
//! fn is_allowed(apikee: &apikee::Apikee, header: Option<&[u8]>) -> Result<bool, Box<dyn std::error::Error>> {
//!     use apikee::{client::AuthorizeRequest, protocol::MethodPath};
//!
//!     let route = MethodPath::new("GET", "/users/{id}")?;
//!     let request = AuthorizeRequest::new(header, route).as_route().scopes(&["read"]);
//!     Ok(apikee.authorize(&request).is_ok())
//! }
//! ```
//!
//! # Protect a web service
//!
//! With the feature `http`:
//!
//! ```
//! # #[cfg(feature = "http")]
//! fn serve(guard: &apikee::web::Guard, request: &http::Request<()>) -> http::Response<String> {
//!     match guard.route("/users").require(&["read"]).check(request) {
//!         Ok(grant) => http::Response::new(format!("hello {}", grant.key().claims().tenant())),
//!         Err(refusal) => refusal.to_http(),
//!     }
//! }
//! ```
//!
//! The module [`guide`] has more: server mode, web servers, rotation, firmware, error codes.
//!
//! # Modules
//!
//! The root has the names that most programs use. The others are in modules:
//!
//! | module | what it is for |
//! |---|---|
//! | [`key`] | keys: issue, verify, scopes, fingerprints, deny-lists, and keys that were not verified |
//! | [`meta`] | the issuer's own data in a key |
//! | [`client`][client] | server mode: how the client is configured, what it reports, and its transports |
//! | [`web`][web] | the guard in front of a service's routes |
//! | [`policy`] | what the platform's answer, or an outage, means for a request |
//! | [`breaker`] | when to stop asking a platform that does not answer |
//! | [`protocol`][protocol] | the platform's requests and answers, without a socket |
//! | [`envelope`][envelope] | encryption of the platform's requests and answers |
//! | [`emulator`][emulator] | the platform on loopback, for tests and demos |
//! | [`embedding`] | a guide for firmware |
//! | [`guide`] | the other guides |
//!
//! `client`, `web`, `emulator` and `envelope` need the features of these names. `protocol` needs the feature
//! `envelope`. Each module uses only modules that stand further right here: `web`, `client`, `emulator`, `protocol`,
//! `breaker`, `policy`, `envelope`, `key`, and private ones for JSON, text, buffers, time and cryptography.
//!
//! # Features
//!
//! `std`, `msgpack` and `getrandom` are on by default. `default-features = false` leaves the kernel: time is an
//! argument, and random bytes come from your generator. Items that need a feature say which one.
//!
//! # Links
//!
//! [Threat model](https://docs.rs/crate/apikee/latest/source/SECURITY.md),
//! [benchmarks](https://docs.rs/crate/apikee/latest/source/docs/BENCHMARKS.md),
//! [wire format](https://docs.rs/crate/apikee/latest/source/docs/WIRE.md),
//! [changes](https://docs.rs/crate/apikee/latest/source/CHANGELOG.md)
//!
// Without its feature a module does not exist.
#![cfg_attr(feature = "client", doc = "[client]: crate::client")]
#![cfg_attr(not(feature = "client"), doc = "[client]: #features")]
#![cfg_attr(feature = "web", doc = "[web]: crate::web")]
#![cfg_attr(not(feature = "web"), doc = "[web]: #features")]
#![cfg_attr(feature = "envelope", doc = "[protocol]: crate::protocol")]
#![cfg_attr(not(feature = "envelope"), doc = "[protocol]: #features")]
#![cfg_attr(feature = "envelope", doc = "[envelope]: crate::envelope")]
#![cfg_attr(not(feature = "envelope"), doc = "[envelope]: #features")]
#![cfg_attr(feature = "emulator", doc = "[emulator]: crate::emulator")]
#![cfg_attr(not(feature = "emulator"), doc = "[emulator]: #features")]
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

// Compiles the README's example as a doctest.
#[cfg(all(doctest, feature = "std", feature = "getrandom"))]
#[doc = include_str!("../README.md")]
struct Readme;

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
pub mod guide;
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

/// The crate `rand_core`, version 0.10. A random number generator implements its trait `TryCryptoRng`.
pub use rand_core;

#[cfg(feature = "getrandom")]
pub use getrandom::SysRng;
