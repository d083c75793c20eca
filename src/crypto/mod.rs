//! The only place that names RustCrypto.

mod digest;
mod mac;

pub(crate) use digest::sha256;
#[cfg(feature = "envelope")]
pub(crate) use hmac::digest::zeroize::Zeroize;
pub(crate) use mac::{MacKey, TAG_LEN, Tag};
