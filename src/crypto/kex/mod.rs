//! X25519 (RFC 7748).
//!
//! A peer's key that is used again and again is worth a table: with the feature `tables` both
//! multiplications of a session are then fixed-base. Elsewhere, and for keys that have no such form,
//! it is `x25519-dalek`'s Montgomery ladder. Both give the same bytes.

#[cfg(feature = "tables")]
mod table;
#[cfg(test)]
mod tests;

use x25519_dalek::{PublicKey, StaticSecret};

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
    public: PublicKey,
    #[cfg(feature = "tables")]
    table: Option<table::Table>,
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
        let public = PublicKey::from(bytes);
        agree(&StaticSecret::from([1; 32]), &public)?;
        Some(Self {
            public,
            #[cfg(feature = "tables")]
            table: table::Table::new(bytes),
        })
    }

    pub(crate) fn as_bytes(&self) -> &[u8; POINT_LEN] {
        self.public.as_bytes()
    }

    pub(crate) fn agree(&self, secret: &[u8; 32]) -> Agreement {
        let secret = StaticSecret::from(*secret);
        stack::wiped::<STACK_WORDS, _>(|| {
            #[cfg(feature = "tables")]
            if let Some(table) = &self.table {
                return Agreement { public: public(&secret), shared: table.agree(&secret) };
            }
            let shared = secret.diffie_hellman(&self.public);
            Agreement { public: public(&secret), shared: Zeroizing::new(shared.to_bytes()) }
        })
    }
}

/// A key of our own: the server's side. Wiped on drop.
pub(crate) struct OwnKey {
    secret: StaticSecret,
    public: [u8; POINT_LEN],
}

impl OwnKey {
    pub(crate) fn new(secret: [u8; 32]) -> Self {
        let secret = StaticSecret::from(secret);
        let public = stack::wiped::<STACK_WORDS, _>(|| public(&secret));
        Self { secret, public }
    }

    pub(crate) const fn public(&self) -> &[u8; POINT_LEN] {
        &self.public
    }

    /// The shared secret with a peer, unless its key is of low order.
    pub(crate) fn agree(&self, peer: &[u8; POINT_LEN]) -> Option<Zeroizing<[u8; 32]>> {
        stack::wiped::<STACK_WORDS, _>(|| agree(&self.secret, &PublicKey::from(*peer)))
    }
}

/// The shared secret, unless the peer's key is of low order (RFC 7748, section 6.1).
fn agree(secret: &StaticSecret, peer: &PublicKey) -> Option<Zeroizing<[u8; 32]>> {
    let shared = secret.diffie_hellman(peer);
    shared.was_contributory().then(|| Zeroizing::new(shared.to_bytes()))
}

#[cfg(feature = "tables")]
use table::public;

/// The public key, as a shared secret with the base point. `PublicKey::from` takes 1.6 kB of stack and 4 kB of flash
/// more on a Cortex-M, and is no faster there.
#[cfg(not(feature = "tables"))]
fn public(secret: &StaticSecret) -> [u8; POINT_LEN] {
    x25519_dalek::x25519(secret.to_bytes(), x25519_dalek::X25519_BASEPOINT_BYTES)
}
