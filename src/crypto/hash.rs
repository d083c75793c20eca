//! SHA-256 (FIPS 180-4), HMAC (RFC 2104, FIPS 198-1) and HKDF (RFC 5869).

use hmac::{
    KeyInit as _,
    block_api::HmacCore,
    digest::{
        block_api::{Buffer, FixedOutputCore as _, UpdateCore as _},
        zeroize::ZeroizeOnDrop,
    },
};
use sha2::{Digest as _, Sha256, block_api::Sha256VarCore};
use subtle::{Choice, ConstantTimeEq};

#[cfg(feature = "envelope")]
use super::stack;

pub(crate) const TAG_LEN: usize = 32;

pub(crate) fn sha256(message: &[u8]) -> [u8; 32] {
    Sha256::digest(message).into()
}

/// A key: the HMAC state after its two pads, computed once. This saves two blocks for each message. The state is wiped
/// on drop, and so is each copy of it.
///
/// Only the states are kept. `Hmac` also holds an empty buffer, which would make a [`Keyring`](crate::Keyring) 1.5
/// times as large.
pub(crate) struct MacKey(Core);

type Core = HmacCore<Sha256>;

/// Proves at compile time that the state and the buffer of a message wipe themselves.
const _: fn() = || {
    fn wiped_on_drop<T: ZeroizeOnDrop>() {}
    wiped_on_drop::<Sha256VarCore>();
    wiped_on_drop::<Buffer<Core>>();
};

impl MacKey {
    /// Leaves copies on the stack below: call it in [`stack::wiped`].
    pub(crate) fn new(secret: &[u8]) -> Option<Self> {
        Core::new_from_slice(secret).ok().map(Self)
    }

    /// A copy of the key. Leaves copies on the stack, as [`new`](Self::new) does.
    #[cfg(feature = "client")]
    pub(crate) fn duplicate(&self) -> Self {
        Self(self.0.clone())
    }

    pub(crate) fn tag(&self, message: &[u8]) -> Tag {
        let mut state = self.0.clone();
        let mut buffer = Buffer::<Core>::default();
        buffer.digest_blocks(message, |blocks| state.update_blocks(blocks));
        let mut tag = Default::default();
        state.finalize_fixed_core(&mut buffer, &mut tag);
        Tag(tag.into())
    }
}

/// An authentication tag, compared in constant time.
pub(crate) struct Tag(pub(crate) [u8; TAG_LEN]);

impl Tag {
    /// First folds the difference into one word, then compares that word in constant time. The guarantee is the same as
    /// that of `subtle` over the bytes, which makes a verification a tenth slower.
    pub(crate) fn ct_eq(&self, other: &Self) -> Choice {
        let (ours, theirs) = (self.0.as_chunks::<8>().0, other.0.as_chunks::<8>().0);
        let difference =
            ours.iter().zip(theirs).fold(0, |all, (a, b)| all | u64::from_ne_bytes(*a) ^ u64::from_ne_bytes(*b));
        difference.ct_eq(&0)
    }
}

/// Writes HKDF-Expand(HKDF-Extract(no salt, `secret`), `info`, 32) to `key`, which must be its final place: a move leaves a
/// copy. Never `None`: one block is not too long.
#[cfg(feature = "envelope")]
pub(crate) fn derive(secret: &[u8; 32], info: &[u8], key: &mut [u8; 32]) -> Option<()> {
    stack::wiped::<{ stack::HASH }, _>(|| {
        let expanded = hkdf::Hkdf::<Sha256>::new(None, secret).expand(info, key);
        debug_assert!(expanded.is_ok(), "one block is not too long");
        expanded.ok()
    })
}
