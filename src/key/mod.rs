//! Keys: `apikee_<payload>.<signature>`, issued and verified with nothing but the secret.
//!
//! ```text
//! apikee_<payload>.<signature>
//!        |         +-- base62(HMAC-SHA256(secret, payload bytes))
//!        +------------ base62(claims: compact JSON, or MessagePack)
//! ```
//!
//! [`Keyring`] holds the secrets and does both. [`Keyring::verify`] is the only way to a
//! [`VerifiedKey`]; [`Keyring::issue`] writes what a [`NewKey`] says.

mod base62;
mod claims;
mod error;
mod expiry;
mod fingerprint;
mod id;
mod inspect;
mod issue;
mod json;
mod keyring;
mod meta;
mod msgpack;
#[cfg(feature = "msgpack")]
mod pack;
mod payload;
mod scopes;
#[cfg(feature = "serde")]
mod serialize;
mod value;
mod verify;

pub use claims::Claims;
#[cfg(feature = "std")]
pub use claims::OwnedClaims;
pub use error::KeyError;
pub use expiry::{Expiry, InvalidDuration};
pub use fingerprint::{DenyList, Fingerprint, InvalidFingerprint, Unsorted, log_prefix};
pub use id::KeyId;
pub use inspect::UntrustedKey;
pub use issue::{IssueError, NewKey, issue_buffer_len};
pub use keyring::{Keyring, KeyringError, MAX_SECRETS, STRONG_SECRET_LEN};
pub use meta::{Meta, MetaIter};
pub use payload::Encoding;
pub use scopes::{MissingScopes, Scopes};
pub use value::{Array, ArrayIter, Number, Value};
#[cfg(feature = "std")]
pub use verify::OwnedKey;
#[cfg(feature = "client")]
pub(crate) use verify::bounded_buffer_len;
pub use verify::{MAX_PAYLOAD_LEN, VerifiedKey, verify_buffer_len};

/// What every key starts with.
pub const PREFIX: &str = "apikee_";

/// What stands between payload and signature.
const SEPARATOR: u8 = b'.';
