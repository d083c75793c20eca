//! Compiles the crate's own source files with another `std` and `arc_swap`.
#![no_std]
#![forbid(unsafe_code)]
#![expect(dead_code, unused_imports, unreachable_pub, reason = "not all of the client is here")]

extern crate modelled_std as arc_swap;
extern crate modelled_std as std;

#[path = "../../../../../src/breaker/mod.rs"]
pub mod breaker;
#[path = "../../../../../src/buf.rs"]
mod buf;
pub mod client;
#[path = "../../../../../src/crypto/mod.rs"]
mod crypto;
#[path = "../../../../../src/envelope/mod.rs"]
pub mod envelope;
#[path = "../../../../../src/error.rs"]
mod error;
#[path = "../../../../../src/hex.rs"]
mod hex;
#[path = "../../../../../src/json/mod.rs"]
mod json;
#[path = "../../../../../src/key/mod.rs"]
pub mod key;
#[path = "../../../../../src/meta.rs"]
pub mod meta;
#[path = "../../../../../src/names.rs"]
mod names;
#[path = "../../../../../src/policy/mod.rs"]
pub mod policy;
#[path = "../../../../../src/protocol/mod.rs"]
pub mod protocol;
#[path = "../../../../../src/text.rs"]
mod text;
#[path = "../../../../../src/time.rs"]
mod time;

pub use buf::BufferTooSmall;
pub use getrandom::SysRng;
pub use key::{
    Claims, Expiry, Fingerprint, KeyError, KeyId, Keyring, MissingScopes, NewKey, OwnedKey, VerifiedKey,
    issue_buffer_len, verify_buffer_len,
};
pub use policy::{Denial, Grant, OwnedGrant, Policy};
pub use time::UnixTime;
