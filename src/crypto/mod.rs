//! The only place that names RustCrypto.

mod digest;
mod mac;

pub(crate) use digest::sha256;
pub(crate) use mac::{MacKey, TAG_LEN, Tag};
