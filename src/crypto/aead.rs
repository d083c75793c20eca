//! AES-256-GCM (NIST SP 800-38D) with 12-byte nonces, 16-byte tags and no associated data.

use aes_gcm::{Aes256Gcm, KeyInit as _, aead::AeadInOut as _};

use super::stack;

pub(crate) const NONCE_LEN: usize = 12;
/// Bytes that sealing adds to a message: the tag.
pub(crate) const SEAL_LEN: usize = 16;

/// The message was not made with this key, or it was changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Unauthentic;

/// Encrypts `message` in place and returns the tag. `None` if it is longer than 2^36 - 32 bytes.
pub(crate) fn seal(key: &[u8; 32], nonce: &[u8; NONCE_LEN], message: &mut [u8]) -> Option<[u8; SEAL_LEN]> {
    stack::wiped::<{ stack::AEAD }, _>(|| {
        let tag = Aes256Gcm::new(key.into()).encrypt_inout_detached(nonce.into(), &[], message.into());
        tag.ok().map(Into::into)
    })
}

/// Decrypts `message` in place if its tag is right. If not, `message` does not change.
pub(crate) fn open(
    key: &[u8; 32],
    nonce: &[u8; NONCE_LEN],
    message: &mut [u8],
    tag: &[u8; SEAL_LEN],
) -> Result<(), Unauthentic> {
    stack::wiped::<{ stack::AEAD }, _>(|| {
        let opened = Aes256Gcm::new(key.into()).decrypt_inout_detached(nonce.into(), &[], message.into(), tag.into());
        opened.map_err(|_| Unauthentic)
    })
}
