//! Keys: `apikee_<payload>.<signature>`. Issuing and verifying them needs only the secret.
//!
//! ```text
//! apikee_<payload>.<signature>
//!        |         +-- base62(HMAC-SHA256(secret, payload bytes))
//!        +------------ base62(claims: compact JSON, or MessagePack)
//! ```
//!
//! [`Keyring`] holds the secrets, issues keys and verifies them. Only verification makes a [`VerifiedKey`].
//! [`Keyring::issue`] writes a key with the claims of a [`NewKey`].
//!
//! | module | content |
//! |---|---|
//! | `keyring` | the secrets |
//! | `verify` | from text to a [`VerifiedKey`] or a [`KeyError`] |
//! | `issue`, `expiry` | from a [`NewKey`] to text |
//! | `inspect` | reading a key without verifying it |
//! | `claims`, `meta` | the claims of a key, including scopes and `meta` |
//! | `payload`, `msgpack` | finding the claims in a payload of JSON or MessagePack |
//! | `issued` | the fast reader for payloads in the form that the SDKs issue |
//! | `base62` | from bytes to digits and back |
//! | `fingerprint` | fingerprints, prefixes for logs, and deny-lists |
//! | `serialize` | `Serialize`, with the feature `serde` |

mod base62;
mod claims;
mod expiry;
mod fingerprint;
mod inspect;
mod issue;
mod issued;
mod keyring;
mod meta;
mod msgpack;
mod payload;
#[cfg(feature = "serde")]
mod serialize;
mod verify;

#[cfg(feature = "std")]
pub use claims::OwnedClaims;
pub use claims::{Claims, MissingScopes, Scopes};
pub use expiry::{Expiry, InvalidDuration};
#[cfg(feature = "web")]
pub(crate) use fingerprint::split_at_key;
#[cfg(feature = "envelope")]
pub(crate) use fingerprint::up_to_key;
#[cfg(feature = "client")]
pub(crate) use fingerprint::without_keys;
pub use fingerprint::{DenyList, Fingerprint, InvalidFingerprint, Unsorted, log_prefix};
pub use inspect::{UntrustedClaims, UntrustedKey};
pub use issue::{IssueError, KeyId, NewKey, issue_buffer_len};
pub use keyring::{Keyring, KeyringError, MAX_SECRETS, STRONG_SECRET_LEN};
pub use meta::{Array, ArrayIter, Meta, MetaIter, Number, Value};
pub use payload::Encoding;
#[cfg(feature = "serde")]
pub(crate) use serialize::refusal;
#[cfg(feature = "std")]
pub use verify::OwnedKey;
#[cfg(feature = "client")]
pub(crate) use verify::bounded_buffer_len;
pub use verify::{KeyError, MAX_PAYLOAD_LEN, VerifiedKey, verify_buffer_len};

/// Every key starts with this prefix.
pub const PREFIX: &str = "apikee_";

/// The character between payload and signature.
const SEPARATOR: u8 = b'.';
