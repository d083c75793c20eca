//! HKDF-SHA256 (RFC 5869) without salt, for one block of output.

use super::{
    MacKey, Zeroizing,
    mac::{STACK_WORDS, Tag},
    stack,
};

/// The state of the first step, whose key is constant: as many zeros as a tag has bytes, which HMAC
/// pads to the same block as any number of zeros.
pub(crate) struct Kdf(MacKey);

impl Kdf {
    pub(crate) fn new() -> Option<Self> {
        MacKey::new(&[0; 32]).map(Self)
    }

    /// HKDF-Expand(HKDF-Extract(none, `secret`), `info`, 32), for an `info` of at most 63 bytes.
    pub(crate) fn derive(&self, secret: &[u8; 32], info: &[u8]) -> Option<Zeroizing<[u8; 32]>> {
        stack::wiped::<STACK_WORDS, _>(|| {
            let Tag(extracted) = self.0.tag(secret);
            let extracted = Zeroizing::new(extracted);
            let mut block = [1; 64];
            let len = info.len();
            block.get_mut(..len)?.copy_from_slice(info);
            let Tag(key) = MacKey::new(extracted.as_slice())?.tag(block.get(..len.checked_add(1)?)?);
            Some(Zeroizing::new(key))
        })
    }
}
