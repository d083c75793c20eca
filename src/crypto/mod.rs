//! The only place that names RustCrypto and dalek.
//!
//! | file | content |
//! |---|---|
//! | `hash` | SHA-256, HMAC, HKDF |
//! | `aead` | AES-256-GCM |
//! | `kex` | X25519 |
//! | `stack` | overwrites the stack that a computation with secrets has used |

#[cfg(feature = "envelope")]
mod aead;
mod hash;
#[cfg(feature = "envelope")]
mod kex;
pub(crate) mod stack;
#[cfg(test)]
mod tests;

#[cfg(feature = "envelope")]
pub(crate) use aead::{NONCE_LEN, SEAL_LEN, open, seal};
#[cfg(feature = "envelope")]
pub(crate) use hash::derive;
pub(crate) use hash::{MacKey, TAG_LEN, Tag, sha256};
#[cfg(feature = "envelope")]
pub(crate) use hmac::digest::zeroize::{Zeroize, Zeroizing};
#[cfg(feature = "envelope")]
pub(crate) use kex::{OwnKey, POINT_LEN, PeerKey};
