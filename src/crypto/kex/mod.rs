//! X25519 (RFC 7748).
//!
//! A peer's key that is used again and again is worth a table: with the feature `tables` both
//! multiplications of a session are then fixed-base. Elsewhere, and for keys that have no such form,
//! it is the Montgomery ladder. Both give the same bytes.

mod ladder;
#[cfg(feature = "tables")]
mod table;
#[cfg(test)]
mod tests;

#[cfg(not(feature = "tables"))]
use ladder::{Multiplier, public};
#[cfg(feature = "tables")]
use table::{Multiplier, public};

use super::{Zeroizing, stack};

pub(crate) const POINT_LEN: usize = 32;

/// More than a multiplication takes of the stack: what dalek computes with stays there. It is 1.6 kB on a
/// Cortex-M, and 2.1 kB on a RISC-V core of 32 bits.
const STACK_WORDS: usize = if cfg!(target_pointer_width = "64") {
    1024
} else if cfg!(target_arch = "riscv32") {
    544
} else {
    416
};

/// A peer's public key, ready to agree with.
pub(crate) struct PeerKey {
    bytes: [u8; POINT_LEN],
    multiplier: Multiplier,
}

/// What comes of one ephemeral secret: the public key to send, and the secret that is shared.
pub(crate) struct Agreement {
    pub(crate) public: [u8; POINT_LEN],
    pub(crate) shared: Zeroizing<[u8; 32]>,
}

impl PeerKey {
    /// `None` for a key of low order, which makes every shared secret zero.
    pub(crate) fn new(bytes: [u8; POINT_LEN]) -> Option<Self> {
        // All secrets are multiples of the cofactor, so any of them shows it.
        ladder::agree(&[1; 32], &bytes)?;
        Some(Self { bytes, multiplier: Multiplier::new(bytes) })
    }

    pub(crate) const fn as_bytes(&self) -> &[u8; POINT_LEN] {
        &self.bytes
    }

    pub(crate) fn agree(&self, secret: &[u8; 32]) -> Agreement {
        stack::wiped::<STACK_WORDS, _>(|| self.multiplier.agree(secret))
    }
}

/// A key of our own: the server's side. Wiped on drop.
pub(crate) struct OwnKey {
    secret: Zeroizing<[u8; 32]>,
    public: [u8; POINT_LEN],
}

impl OwnKey {
    pub(crate) fn new(secret: [u8; 32]) -> Self {
        let secret = Zeroizing::new(secret);
        let public = stack::wiped::<STACK_WORDS, _>(|| public(&secret));
        Self { secret, public }
    }

    pub(crate) const fn public(&self) -> &[u8; POINT_LEN] {
        &self.public
    }

    /// The shared secret with a peer, unless its key is of low order.
    pub(crate) fn agree(&self, peer: &[u8; POINT_LEN]) -> Option<Zeroizing<[u8; 32]>> {
        stack::wiped::<STACK_WORDS, _>(|| ladder::agree(&self.secret, peer))
    }
}
