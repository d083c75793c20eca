//! The only place that names RustCrypto and dalek.

#[cfg(feature = "envelope")]
mod aead;
mod digest;
#[cfg(feature = "envelope")]
mod kdf;
#[cfg(feature = "envelope")]
mod kex;
mod mac;
mod stack;
#[cfg(test)]
mod tests;

#[cfg(feature = "envelope")]
pub(crate) use aead::{NONCE_LEN, SEAL_LEN, open, seal};
pub(crate) use digest::sha256;
#[cfg(feature = "envelope")]
pub(crate) use hmac::digest::zeroize::{Zeroize, Zeroizing};
#[cfg(feature = "envelope")]
pub(crate) use kdf::derive;
#[cfg(feature = "envelope")]
pub(crate) use kex::{OwnKey, POINT_LEN, PeerKey};
pub(crate) use mac::{MacKey, TAG_LEN, Tag};
