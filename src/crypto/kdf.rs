//! HKDF-SHA256 (RFC 5869) without salt.

use hkdf::Hkdf;
use sha2::Sha256;

use super::{Zeroizing, mac::STACK_WORDS, stack};

/// HKDF-Expand(HKDF-Extract(none, `secret`), `info`, 32). There always is one: a single block is not too long.
pub(crate) fn derive(secret: &[u8; 32], info: &[u8]) -> Option<Zeroizing<[u8; 32]>> {
    stack::wiped::<STACK_WORDS, _>(|| {
        let mut key = Zeroizing::new([0; 32]);
        Hkdf::<Sha256>::new(None, secret).expand(info, key.as_mut_slice()).ok()?;
        Some(key)
    })
}
