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
//!
//! | module | knows |
//! |---|---|
//! | `keyring` | the secrets |
//! | `verify` | from text to a [`VerifiedKey`], or to the [`KeyError`] |
//! | `issue`, `expiry` | from a [`NewKey`] to text |
//! | `inspect` | what a key says that nobody has verified |
//! | `claims`, `meta` | what a key says, scopes and `meta` among it |
//! | `payload`, `msgpack` | where the claims stand in a payload: the reader of JSON, and that of MessagePack |
//! | `base62` | bytes to digits, and back |
//! | `fingerprint` | names for keys that give no key away, and deny-lists |
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
pub use fingerprint::{DenyList, Fingerprint, InvalidFingerprint, Unsorted, log_prefix};
pub use inspect::{UntrustedClaims, UntrustedKey};
pub use issue::{IssueError, KeyId, NewKey, issue_buffer_len};
pub use keyring::{Keyring, KeyringError, MAX_SECRETS, STRONG_SECRET_LEN};
pub use meta::{Array, ArrayIter, Meta, MetaIter, Number, Value};
pub use payload::Encoding;
#[cfg(feature = "std")]
pub use verify::OwnedKey;
#[cfg(feature = "client")]
pub(crate) use verify::bounded_buffer_len;
pub use verify::{KeyError, MAX_PAYLOAD_LEN, VerifiedKey, verify_buffer_len};

/// What every key starts with.
pub const PREFIX: &str = "apikee_";

/// What stands between payload and signature.
const SEPARATOR: u8 = b'.';
