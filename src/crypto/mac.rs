//! HMAC-SHA256 (RFC 2104, FIPS 198-1).

use hmac::{
    KeyInit as _,
    block_api::HmacCore,
    digest::{
        block_api::{Buffer, FixedOutputCore as _, UpdateCore as _},
        zeroize::ZeroizeOnDrop,
    },
};
use sha2::{Sha256, block_api::Sha256VarCore};
use subtle::{Choice, ConstantTimeEq};

use super::stack;

pub(crate) const TAG_LEN: usize = 32;

type Core = HmacCore<Sha256>;

/// A key with the state after its two pads computed, so that a message costs two blocks less.
/// Wiped on drop, as is each copy of the state that a message is run through.
///
/// The states alone: `Hmac` has an empty buffer around them, and to copy that with each of them and to wipe
/// it is 7 % of the time of a short message.
pub(crate) struct MacKey(Core);

/// What a message is run through wipes itself, or this does not compile.
const _: fn(Sha256VarCore, Buffer<Core>) = wiped_on_drop;
fn wiped_on_drop<T: ZeroizeOnDrop, U: ZeroizeOnDrop>(_: T, _: U) {}

/// More than keying takes of the stack: 0.5 kB on x86-64 (3 kB where nothing is optimised), 0.7 kB on a Cortex-M,
/// 0.85 kB on a RISC-V core of 32 bits.
pub(super) const STACK_WORDS: usize = if cfg!(target_pointer_width = "64") {
    512
} else if cfg!(target_arch = "riscv32") {
    224
} else {
    200
};

impl MacKey {
    pub(crate) fn new(secret: &[u8]) -> Option<Self> {
        stack::wiped::<STACK_WORDS, _>(|| Core::new_from_slice(secret).ok().map(Self))
    }

    /// The same key once more.
    #[cfg(feature = "client")]
    pub(crate) fn duplicate(&self) -> Self {
        stack::wiped::<STACK_WORDS, _>(|| Self(self.0.clone()))
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
    /// Folds the difference into one word before the one guarded comparison: the same guarantee
    /// as `subtle` over the bytes, at a twentieth of its time.
    pub(crate) fn ct_eq(&self, other: &Self) -> Choice {
        let (ours, theirs) = (self.0.as_chunks::<8>().0, other.0.as_chunks::<8>().0);
        let difference =
            ours.iter().zip(theirs).fold(0, |all, (a, b)| all | u64::from_ne_bytes(*a) ^ u64::from_ne_bytes(*b));
        difference.ct_eq(&0)
    }
}
