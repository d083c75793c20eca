//! The only place that names RustCrypto and dalek.
//!
//! | file | what |
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
mod stack;

#[cfg(feature = "envelope")]
pub(crate) use aead::{NONCE_LEN, SEAL_LEN, open, seal};
#[cfg(feature = "envelope")]
pub(crate) use hash::derive;
pub(crate) use hash::{MacKey, TAG_LEN, Tag, sha256};
#[cfg(feature = "envelope")]
pub(crate) use hmac::digest::zeroize::{Zeroize, Zeroizing};
#[cfg(feature = "envelope")]
pub(crate) use kex::{OwnKey, POINT_LEN, PeerKey};

/// The bytes of hexadecimal text.
#[cfg(all(test, feature = "envelope"))]
fn hex(text: &str) -> Vec<u8> {
    assert_eq!(text.len() % 2, 0);
    (0..text.len()).step_by(2).map(|at| u8::from_str_radix(&text[at..at + 2], 16).unwrap()).collect()
}

#[cfg(all(test, feature = "envelope"))]
fn hex32(text: &str) -> [u8; 32] {
    hex(text).try_into().unwrap()
}
